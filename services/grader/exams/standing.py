"""Where an attempt stands, as commands say it: to people by this machine's clock, to programs as JSON."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from grader.domain.attempt import Attempt, PartStanding
    from grader.exams.sitting import Sitting

Slug = Annotated[str, typer.Argument(help="The exam's name, as `capstone exam list` says it.")]
Number = Annotated[int, typer.Option("--attempt", min=0, help="Which attempt; the last when left out.")]

UNDER_WAY = ("running", "in review")
"""States in which no points are told."""


def as_document(attempt: "Attempt", now: datetime) -> dict[str, Any]:
    """An attempt as JSON has it."""
    parts = {
        name: {
            "title": part.part.title,
            "kind": part.part.kind,
            "open": attempt.open_at(now, part),
            "ends": None if part.deadline is None else part.deadline.isoformat(),
            "points": None if attempt.open_at(now, part) or part.awaits_review else round(part.points, 2),
            "of": part.part.points,
            "drawn": [] if part.begun is None else list(part.drawn),
        }
        for name, part in attempt.parts.items()
    }
    state = attempt.state_at(now)
    done = state not in UNDER_WAY
    totals = {"points": round(attempt.points, 2), "share": round(attempt.share, 4)} if done else {}
    return {
        "exam": attempt.exam.slug,
        "attempt": attempt.number,
        "state": state,
        "invalid": attempt.invalid,
        "begun": attempt.begun.isoformat(),
        "parts": parts,
        "of": attempt.exam.points,
        **totals,
    }


def attempt_of(sitting: "Sitting", slug: str, number: int) -> "Attempt":
    """An attempt at an exam, judged by the rules of its begin. Raises NotNow when there was none, and LabError."""
    from grader.errors import NotNow
    from grader.exams import papers
    from grader.exams.sitting import judged_as_then

    every = sitting.attempts(papers.exam(slug))
    if not every or number > len(every):
        raise NotNow(f"there is no attempt {number or 1} at {slug}: there were {len(every)}")
    judged_as_then(every[number - 1])
    return every[number - 1]


def local(at: datetime) -> str:
    """A moment by this machine's clock."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def lines(attempt: "Attempt", now: datetime) -> list[str]:
    """Where an attempt stands, for people. The points of a part are told when it has ended."""
    state = attempt.state_at(now)
    told = [
        f"{attempt.exam.title}, attempt {attempt.number}: {state}" + (f", {attempt.invalid}" if attempt.invalid else "")
    ]
    told += [f"  {name:12} {_said(attempt, part, now)}" for name, part in attempt.parts.items()]
    if state not in UNDER_WAY:
        share = f"{100 * attempt.share:.4g} %"
        told.append(
            f"  {attempt.points:.4g} of {attempt.exam.points} points, {share}, {attempt.exam.pass_share:.0%} to pass"
        )
    return told


def _said(attempt: "Attempt", part: "PartStanding", now: datetime) -> str:
    if attempt.open_at(now, part):
        return f"{part.part.title}: " + ("not opened" if part.begun is None else f"open until {clock(part)}")
    if part.awaits_review:
        return f"{part.part.title}: reviews so far: {len(part.reviews)}, more are needed"
    decided = " (decided by an examiner)" if part.decided is not None else ""
    least = f", at least {part.part.least_share:.0%} are needed" if part.part.least_share else ""
    return f"{part.part.title}: {part.points:.4g} of {part.part.points} points{least}{decided}"


def clock(part: "PartStanding") -> str:
    return "" if part.deadline is None else local(part.deadline)
