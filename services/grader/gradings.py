"""Gradings of answers that are remembered in a file, so that those of several days and commands add up."""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from grader.catalog import Catalog
from grader.errors import LabError
from grader.fingerprint import fingerprint

FILE = "repeatability.jsonl"
"""In the folder of the labs."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """How gradings of one answer fared: how often it got what was expected, how often a check could not tell, how often anything else.

    `version` is the answer's fingerprint. `busy` of the gradings were beside busy cores; `points` are all that were got, ascending;
    `fastest` and `slowest` are seconds.
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


def summed(catalog: Catalog, every: Iterable[Repeated]) -> list[Repeated]:
    """One for each answer, in the order of the first; one whose verdict was decided otherwise does not count."""
    found: dict[tuple[str, str], Repeated] = {}
    versions: dict[tuple[str, str], str] = {}
    for one in every:
        key = (one.lab, one.answer)
        if key not in versions:
            versions[key] = fingerprint(catalog, *key) if one.lab in catalog.slugs() else ""
        if one.version == versions[key]:
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
