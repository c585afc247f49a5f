"""What a grading says, check by check, and what it is worth. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import Any

from grader.domain.lab import PASS_SHARE, Check

SCHEMA = 1
"""Of the result's JSON; raised when a field changes its meaning or goes."""


class Outcome(StrEnum):
    """`error` is the grader's fault and never the learner's."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check kind found.

    `seen` holds what was read (numbers, ids, lines), `because` says what it means, `reason` is a short code that chooses the hint.
    """

    passed: bool
    because: str
    reason: str = ""
    seen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one check. `output` is the end of what the learner's own code printed, given when the check did not pass."""

    check: str
    title: str
    outcome: Outcome
    points: int
    of: int
    because: str
    reason: str
    seconds: float
    seen: Mapping[str, Any] = field(default_factory=dict)
    hint: str = ""
    output: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """One grading of one lab. `practice` is true once the solution was shown; such a result counts for nothing."""

    lab: str
    lab_version: str
    seed: int
    confined: bool
    why_not_confined: str
    versions: Mapping[str, str]
    verdicts: Sequence[Verdict]
    practice: bool = False
    schema: int = SCHEMA

    @property
    def points(self) -> int:
        """Points earned."""
        return sum(verdict.points for verdict in self.verdicts)

    @property
    def of(self) -> int:
        """Points to be had."""
        return sum(verdict.of for verdict in self.verdicts)

    @property
    def passed(self) -> bool:
        """Whether it is enough to pass the lab."""
        return self.of > 0 and self.points >= ceil(self.of * PASS_SHARE)

    @property
    def undecided(self) -> bool:
        """Whether the grader failed at some check: such a result uses no attempt."""
        return any(verdict.outcome is Outcome.ERROR for verdict in self.verdicts)

    @property
    def may_count(self) -> bool:
        """Whether an exam may take it: every check was judged, the code was confined, and the solution was not shown before."""
        return self.confined and not self.practice and not self.undecided


def judged(check: Check, finding: Finding, seconds: float, output: str) -> Verdict:
    """The verdict on a check that ran; the points are all or none."""
    hint = "" if finding.passed else check.hints.get(finding.reason, check.hints.get("otherwise", ""))
    return Verdict(
        check=check.id,
        title=check.title,
        outcome=Outcome.PASSED if finding.passed else Outcome.FAILED,
        points=check.points if finding.passed else 0,
        of=check.points,
        because=finding.because,
        reason="" if finding.passed else finding.reason,
        seconds=round(seconds, 2),
        seen=finding.seen,
        hint=hint,
        output="" if finding.passed else output,
        hidden=check.hidden,
    )


def unjudged(check: Check, outcome: Outcome, reason: str, because: str, seconds: float = 0) -> Verdict:
    """The verdict on a check that could not run, or that the grader could not finish."""
    return Verdict(
        check=check.id,
        title=check.title,
        outcome=outcome,
        points=0,
        of=check.points,
        because=because,
        reason=reason,
        seconds=round(seconds, 2),
        hidden=check.hidden,
    )


def missing(check: Check, verdicts: Sequence[Verdict]) -> list[str]:
    """The titles of the checks that it needs and that did not pass."""
    return [one.title for one in verdicts if one.check in check.needs and one.outcome is not Outcome.PASSED]
