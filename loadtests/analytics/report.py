"""What the runs say: rates, ratios of each round, CPU an event by process. Pure."""

import statistics
from collections.abc import Sequence
from typing import Any

from loadtests.analytics.measured import Measured


def table(results: Sequence[Measured]) -> str:
    """CPU an event by stage, medians over the runs of each side, as Markdown."""
    lines = ["", "| side | stage | CPU us an event |", "|---|---|---|"]
    for side in dict.fromkeys(result.side for result in results):
        stages = cpu_us(of(results, side))
        lines += [f"| {side} | {stage} | {us:,.2f} |" for stage, us in stages.items()]
        lines.append(f"| {side} | **all** | **{sum(stages.values()):,.2f}** |")
    return "\n".join(lines)


def compared(results: Sequence[Measured]) -> dict[str, Any]:
    """Ours against the rival's two variants: medians over the runs, and the ratio of each round."""
    ours = of(results, "ours")
    found: dict[str, Any] = {"ours_per_second": median(ours), "ours_cpu_us": cpu_us(ours)}
    for side, name in (("naive", "ratio"), ("lean", "ratio_lean")):
        rival = of(results, side)
        ratios = [round(a.per_second / b.per_second) for a, b in zip(ours, rival, strict=False)]
        found[f"{side}_per_second"] = median(rival)
        found[f"{side}_cpu_us"] = cpu_us(rival)
        found[name] = round(statistics.median(ratios)) if ratios else None
        found[name.replace("ratio", "ratios")] = ratios
    return found


def of(results: Sequence[Measured], side: str) -> list[Measured]:
    """The runs of one side."""
    return [result for result in results if result.side == side]


def median(results: Sequence[Measured]) -> float | None:
    """Events a second."""
    return round(statistics.median(result.per_second for result in results), 1) if results else None


def cpu_us(results: Sequence[Measured]) -> dict[str, float]:
    """Microseconds of CPU an event by stage, medians."""
    found = [result.us_per_event() for result in results]
    names = dict.fromkeys(name for one in found for name in one)
    return {name: round(statistics.median(one.get(name, 0.0) for one in found), 2) for name in names}
