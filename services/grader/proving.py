"""Grades the grader: every answer of a lab, and every way to do nothing, must get exactly the verdict that is expected of it.

An answer is put over the starter, as a learner's files would be. What is expected of a wrong answer lies beside it, in
`answers/NAME.json`: the points, and for each check its outcome, with the reason where it failed.
"""

import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil

from grader.adapters import workspaces
from grader.adapters.box import Box
from grader.catalog import MODEL, Catalog, answers, starting_files
from grader.domain.lab import Check, Lab
from grader.domain.verdict import Outcome, Result
from grader.errors import LabInvalid
from grader.grading import grade

UNTOUCHED, EMPTY = "(starter)", "(empty)"
"""Two answers that every lab has: the starting files as they are, and no files at all."""

BUSY = f"{Outcome.ERROR}: busy"
"""What a check got that could not be judged because other work took the processors."""

FEWEST_WRONG = 2


@dataclass(frozen=True, slots=True)
class Proof:
    """What one answer got; `expected` is None where nothing is written down for it yet.

    `idle` is the share of the machine's processor time that nobody used meanwhile.
    """

    lab: str
    answer: str
    got: dict[str, Any]
    expected: dict[str, Any] | None
    seconds: float
    details: tuple[str, ...]
    idle: float = 1.0

    @property
    def holds(self) -> bool:
        """Whether it got what was expected."""
        return self.got == self.expected

    @property
    def untold(self) -> bool:
        """Whether the grader could not judge a check."""
        return any(ended.startswith(Outcome.ERROR) for ended in self.got["checks"].values())

    @property
    def contradicted(self) -> bool:
        """Whether a check that was judged got another verdict than expected."""
        if self.expected is None or not self.untold:
            return not self.holds
        expected = self.expected["checks"]
        return any(
            not ended.startswith(Outcome.ERROR) and ended not in (expected.get(check), Outcome.SKIPPED)
            for check, ended in self.got["checks"].items()
        )

    @property
    def too_busy(self) -> bool:
        """Whether all that it got otherwise is that this machine was too busy to tell, and what was skipped for that."""
        if self.expected is None or not self.untold:
            return False
        expected = self.expected["checks"]
        return all(ended in (expected.get(check), BUSY, Outcome.SKIPPED) for check, ended in self.got["checks"].items())


def prove(
    catalog: Catalog,
    slugs: list[str],
    box: Callable[[], Box],
    *,
    parallel: int = 1,
    write: bool = False,
    only: str = "",
    takes: Mapping[tuple[str, str], float] = MappingProxyType({}),
) -> Iterator[Proof]:
    """Grade every answer of these labs, so many at a time; `write` makes what they got the expectation of wrong answers.

    `takes` are seconds of answers of labs: the longest is begun first, so that none goes on alone at the end.
    One that the grader could not judge is graded once more, at the end and by itself.
    """
    asked = sorted(wanted(catalog, slugs, only), key=lambda one: -takes.get((one[0].slug, one[1]), 0.0))
    for proof in _judged_at_last(catalog, asked, box, parallel):
        if write and not proof.untold and proof.answer not in (UNTOUCHED, EMPTY, MODEL):
            path = _golden(catalog.folder / proof.lab, proof.answer)
            path.write_text(json.dumps(proof.got, indent=2) + "\n")
        yield proof


def _judged_at_last(
    catalog: Catalog, asked: Sequence[tuple[Lab, str]], box: Callable[[], Box], parallel: int
) -> Iterator[Proof]:
    untold: list[tuple[Lab, str]] = []
    for proof in at_once(catalog, asked, box, parallel):
        if proof.untold:
            untold.append((catalog.lab(proof.lab), proof.answer))
        else:
            yield proof
    yield from at_once(catalog, untold, box, 1)


def wanted(catalog: Catalog, slugs: list[str], only: str = "") -> list[tuple[Lab, str]]:
    """The answers of these labs, or those of this name. Raises LabInvalid when the model answer or wrong ones are missing."""
    return [
        (catalog.lab(slug), answer)
        for slug in slugs
        for answer in expected_answers(catalog, slug)
        if only in ("", answer)
    ]


def at_once(
    catalog: Catalog, asked: Sequence[tuple[Lab, str]], box: Callable[[], Box], parallel: int
) -> Iterator[Proof]:
    """What each of these answers gets, as their gradings end, so many at a time, begun in this order.

    Whoever stops listening, such as a command that is interrupted, ends those that run: each is told by the event.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(parallel)

    def begun(lab: Lab, answer: str) -> Proof:
        return proved(catalog, lab, answer, box(), stop)

    try:
        for ended in as_completed([pool.submit(begun, lab, answer) for lab, answer in asked]):
            yield ended.result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def expected_answers(catalog: Catalog, slug: str) -> list[str]:
    """What is graded of a lab. Raises LabInvalid when the model answer or wrong ones are missing."""
    found = answers(catalog.path(slug))
    if MODEL not in found or len(found) <= FEWEST_WRONG:
        raise LabInvalid(
            f"{catalog.folder / slug}/answers: there must be {MODEL}/ and at least {FEWEST_WRONG} wrong ones, not {found}"
        )
    return [UNTOUCHED, EMPTY, *found]


def summary(result: Result) -> dict[str, Any]:
    """What must be the same at every grading of one answer."""
    return {
        "points": result.points,
        "checks": {verdict.check: _ended(verdict.outcome, verdict.reason) for verdict in result.verdicts},
    }


def proved(catalog: Catalog, lab: Lab, answer: str, box: Box, stop: threading.Event) -> Proof:
    """What one answer gets. Raises Interrupted when it is told to stop."""
    folder = catalog.folder / lab.slug
    with tempfile.TemporaryDirectory(prefix="capstone-answer-") as made:
        workspace = Path(made) / lab.slug
        workspace.mkdir()
        for files in [] if answer == EMPTY else starting_files(folder, lab):
            workspaces.overlay(files, workspace)
        if answer not in (EMPTY, UNTOUCHED):
            workspaces.overlay(folder / "answers" / answer, workspace)
        before = psutil.cpu_times()
        result = grade(lab, folder, workspace, box, seed=1, stop=stop)
        idle = idle_share(before, psutil.cpu_times())
    got = summary(result)
    return Proof(
        lab=lab.slug,
        answer=answer,
        got=got,
        expected=_expected(lab, folder, answer, got),
        seconds=round(sum(verdict.seconds for verdict in result.verdicts), 1),
        details=tuple(
            f"{verdict.check}: {verdict.outcome}: {verdict.because} ({verdict.seconds:.0f} s)"
            for verdict in result.verdicts
        ),
        idle=idle,
    )


def idle_share(before: Any, after: Any) -> float:
    """The share of the machine's processor time, 0 to 1, that nobody used between two readings of psutil.cpu_times().

    What guests use counts as used once more in the readings.
    """
    spent: dict[str, float] = {
        name: getattr(after, name) - getattr(before, name) for name in before._fields if "guest" not in name
    }
    return (spent["idle"] + spent.get("iowait", 0.0)) / max(sum(spent.values()), 0.01)


def _expected(lab: Lab, folder: Path, answer: str, got: dict[str, Any]) -> dict[str, Any] | None:
    if answer == MODEL:
        return {"points": lab.points, "checks": {check.id: str(Outcome.PASSED) for check in lab.checks}}
    if answer in (UNTOUCHED, EMPTY):
        return {"points": 0, "checks": {check.id: _nothing(check, got["checks"][check.id]) for check in lab.checks}}
    golden = _golden(folder, answer)
    return json.loads(golden.read_text()) if golden.exists() else None


def _nothing(check: Check, ended: str) -> str:
    """What a check may say of nothing: whatever it got, but for an error, and for passing where that is worth points."""
    bad = ended.startswith(Outcome.ERROR) or (ended == Outcome.PASSED and check.points > 0)
    return "not passed" if bad else ended


def _golden(folder: Path, answer: str) -> Path:
    return folder / "answers" / f"{answer}.json"


def _ended(outcome: Outcome, reason: str) -> str:
    return f"{outcome}: {reason}" if outcome in (Outcome.FAILED, Outcome.ERROR) else str(outcome)
