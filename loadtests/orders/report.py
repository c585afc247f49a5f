"""What the runs say: rates, ratios, CPU an order by stage. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one side. CPU is in seconds by stage, all processes of the stage together."""

    side: str
    orders: int
    seconds: float
    accept_seconds: float
    cpu_seconds: dict[str, float]
    accept_cpu_seconds: dict[str, float]
    effects: dict[str, Any]

    @property
    def per_second(self) -> float:
        """Orders a second."""
        return self.orders / self.seconds

    def us_per_order(self) -> dict[str, float]:
        """CPU microseconds an order by stage, what is below one left out."""
        found = {stage: spent / self.orders * 1e6 for stage, spent in self.cpu_seconds.items()}
        return {stage: us for stage, us in found.items() if us >= 1}

    def __str__(self) -> str:
        cores = sum(self.cpu_seconds.values()) / self.seconds
        return (
            f"{self.side:6} {self.per_second:8.1f} orders/s"
            f" {sum(self.us_per_order().values()):8.0f} us CPU an order, {cores:.2f} cores busy"
        )


def table(results: Sequence[Measured]) -> str:
    """CPU an order by stage, medians over the runs, as Markdown."""
    lines = ["", "| side | stage | CPU us an order |", "|---|---|---|"]
    for side in dict.fromkeys(result.side for result in results):
        stages = _stages([result for result in results if result.side == side])
        lines += [f"| {side} | {stage} | {us:,.0f} |" for stage, us in stages.items()]
        lines.append(f"| {side} | **all** | **{sum(stages.values()):,.0f}** |")
    return "\n".join(lines)


def document(broker: str, results: Sequence[Measured]) -> dict[str, Any]:
    """The last line: medians over the runs, and the ratio of each pair, which is what may be compared between machines."""
    ours = [result for result in results if result.side == "ours"]
    naive = [result for result in results if result.side == "naive"]
    ratios = [a.per_second / b.per_second for a, b in zip(ours, naive, strict=False)]
    effects = {
        tuple(sorted(a.effects.items())) == tuple(sorted(b.effects.items())) for a, b in zip(ours, naive, strict=False)
    }
    return {
        "broker": broker,
        "orders": results[0].orders,
        "ours_per_second": _median([result.per_second for result in ours]),
        "naive_per_second": _median([result.per_second for result in naive]),
        "ratio": _median(ratios),
        "ratios": [round(ratio, 1) for ratio in ratios],
        "cpu_us_per_order": _median([sum(result.us_per_order().values()) for result in ours]),
        "naive_cpu_us_per_order": _median([sum(result.us_per_order().values()) for result in naive]),
        "accept_per_second": _median([result.orders / result.accept_seconds for result in ours]),
        "accept_cpu_us_per_order": _median([sum(r.accept_cpu_seconds.values()) / r.orders * 1e6 for r in ours]),
        "naive_accept_per_second": _median([result.orders / result.accept_seconds for result in naive]),
        "effects_equal": effects <= {True},
        "effects": results[-1].effects,
    }


def _stages(results: Sequence[Measured]) -> dict[str, float]:
    found = [result.us_per_order() for result in results]
    names = dict.fromkeys(name for one in found for name in one)
    medians = {name: statistics.median(one.get(name, 0.0) for one in found) for name in names}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 1) if values else None
