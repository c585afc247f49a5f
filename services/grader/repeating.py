"""Grades every answer of labs several times: the verdict must be the same each time, whatever else the machine does.

A check may say that this machine is too busy to tell; it must never say the opposite.
"""

import contextlib
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.adapters import guarded
from grader.adapters.box import Box
from grader.catalog import Catalog
from grader.domain.lab import Lab
from grader.domain.verdict import Outcome
from grader.errors import LabError
from grader.proving import Proof, at_once, wanted

SPIN = "while True: pass"


@dataclass(frozen=True, slots=True)
class Repeated:
    """How gradings of one answer fared: how often it got what was expected, how often a check could not tell, how often anything else.

    `busy` of them were beside busy cores; `points` are all that were got, ascending; `fastest` and `slowest` are seconds.
    """

    lab: str
    version: str
    answer: str
    points: tuple[int, ...]
    as_expected: int
    untold: int
    otherwise: int
    busy: int
    fastest: float
    slowest: float

    @property
    def times(self) -> int:
        """How many gradings these are."""
        return self.as_expected + self.untold + self.otherwise

    def row(self) -> str:
        """As a row of a Markdown table."""
        points, seconds = ", ".join(map(str, self.points)), f"{self.fastest:.0f}–{self.slowest:.0f}"
        cells = (self.lab, self.answer, points, self.as_expected, self.untold, self.otherwise, self.busy, seconds)
        return f"| {' | '.join(map(str, cells))} |"


HEAD = (
    "| lab | answer | points | as expected | too busy to tell | otherwise | beside busy cores | seconds |\n"
    "|---|---|---|---|---|---|---|---|"
)


def repeated(
    catalog: Catalog,
    slugs: list[str],
    box: Callable[[], Box],
    *,
    times: int,
    busy_times: int = 0,
    parallel: int = 1,
    only: str = "",
    before: Sequence[Repeated] = (),
) -> Iterator[Repeated]:
    """Grade each answer so many times, less those of `before`, the last with every core kept busy; one for each grading, as it ends."""
    asked = wanted(catalog, slugs, only)
    known = {(one.lab, one.answer): one for one in summed(catalog, before)}

    def lacking(lab: Lab, answer: str, beside: bool) -> int:
        one = known.get((lab.slug, answer))
        quiet, beside_busy = (0, 0) if one is None else (one.times - one.busy, one.busy)
        more_busy = max(0, busy_times - beside_busy)
        # Busy cores are the harder case: gradings beside them count as quiet ones as well.
        return more_busy if beside else max(0, times - quiet - max(beside_busy, busy_times))

    for beside, around in ((False, contextlib.nullcontext()), (True, busy())):
        left = {(lab.slug, answer): lacking(lab, answer, beside) for lab, answer in asked}
        rounds = [one for number in range(times) for one in asked if left[one[0].slug, one[1]] > number]
        with around if rounds else contextlib.nullcontext():
            for proof in at_once(catalog, rounds, box, parallel):
                yield graded(proof, catalog.lab(proof.lab).version, beside)


def graded(proof: Proof, version: str, beside_busy: bool) -> Repeated:
    """One grading."""
    untold = str(Outcome.ERROR) in proof.got["checks"].values()
    return Repeated(
        lab=proof.lab,
        version=version,
        answer=proof.answer,
        points=() if untold else (proof.got["points"],),
        as_expected=int(proof.holds and not untold),
        untold=int(untold),
        otherwise=int(not proof.holds and not untold),
        busy=int(beside_busy),
        fastest=proof.seconds,
        slowest=proof.seconds,
    )


def summed(catalog: Catalog, every: Iterable[Repeated]) -> list[Repeated]:
    """One for each answer, in the order of the first; what was graded by another version of its lab does not count."""
    found: dict[tuple[str, str], Repeated] = {}
    for one in every:
        if one.lab not in catalog.slugs() or one.version != catalog.lab(one.lab).version:
            continue
        key = (one.lab, one.answer)
        found[key] = _together(found[key], one) if key in found else one
    return list(found.values())


def _together(one: Repeated, other: Repeated) -> Repeated:
    return Repeated(
        lab=one.lab,
        version=one.version,
        answer=one.answer,
        points=tuple(sorted({*one.points, *other.points})),
        as_expected=one.as_expected + other.as_expected,
        untold=one.untold + other.untold,
        otherwise=one.otherwise + other.otherwise,
        busy=one.busy + other.busy,
        fastest=min(one.fastest, other.fastest),
        slowest=max(one.slowest, other.slowest),
    )


def remembered(path: Path) -> list[Repeated]:
    """What earlier commands wrote into a file, one JSON object a line; nothing where there is no file. Raises LabError with the line."""
    found = []
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        try:
            said = json.loads(line)
            found.append(Repeated(**{**said, "points": tuple(said["points"])}))
        except (ValueError, TypeError, KeyError) as error:
            raise LabError(f"{path}:{number}: no grading that was remembered: {line[:100]}") from error
    return found


def remember(path: Path, one: Repeated) -> None:
    """Append it."""
    with path.open("a") as file:
        file.write(f"{json.dumps(dataclasses.asdict(one))}\n")


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Keep every core of the machine busy with a process that only computes."""
    with tempfile.TemporaryDirectory(prefix="capstone-busy-") as made, contextlib.ExitStack() as ends:
        for _ in range(os.cpu_count() or 1):
            folder = Path(made)
            spinning = guarded.start(
                [sys.executable, "-c", SPIN], directory=folder, environment={}, output=folder / "out"
            )
            ends.callback(spinning.end)
        yield
