"""Where an attempt at an exam stands, as the events of the gradebook tell. Pure; the present time is an argument.

Every answer, grading, design and review is an event of its own, so that an attempt goes on where it was when the machine stopped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import fmean, median
from typing import Any

from grader.domain.exam import Certified, Exam, Part, PartKind

REVIEWERS = 2
"""Who must review a design, each without the other."""

AGREE_SHARE = 0.15
"""Of a design's points: when two reviews lie further apart, a third decides, and the middle one counts."""

BACKWARDS = timedelta(seconds=5)
"""So much earlier than the event before it may an event be; clocks are set right in smaller steps."""

MOST_GRADINGS = 5
"""Of one lab in an attempt; the best counts."""


class State(StrEnum):
    """Of an attempt."""

    RUNNING = "running"
    IN_REVIEW = "in review"
    PASSED = "passed"
    FAILED = "failed"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the gradebook that tells of an exam; `at` has a time zone."""

    at: datetime
    kind: str
    exam: str
    body: Mapping[str, Any]


@dataclass(slots=True)
class PartStanding:
    """Where an attempt stands with one part: what was done in time, and what it is worth.

    `answers` are by question; by lab are when it was handed in, how often the grader could not judge that (`untold`), and what it got
    otherwise. `design` is the text handed in. `decided` are points that an examiner set.
    """

    part: Part
    begun: datetime | None = None
    closed: datetime | None = None
    answers: dict[str, bool] = field(default_factory=dict)
    asked: int = 0
    handed_in: dict[str, list[datetime]] = field(default_factory=dict)
    untold: dict[str, int] = field(default_factory=dict)
    gradings: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    drawn: tuple[str, ...] = ()
    design: str = ""
    reviews: dict[str, float] = field(default_factory=dict)
    decided: float | None = None

    @property
    def deadline(self) -> datetime | None:
        """When its clock runs out; nothing before it was opened."""
        return None if self.begun is None else self.begun + timedelta(minutes=self.part.minutes)

    def open_at(self, now: datetime) -> bool:
        """Whether something may still be done for it."""
        return (self.closed is None or now < self.closed) and (self.deadline is None or now < self.deadline)

    def used(self, lab: str) -> int:
        """How many of the gradings of a lab are used; one that was broken off is, one that could not be judged is not."""
        return len(self.handed_in.get(lab, ())) - self.untold.get(lab, 0)

    @property
    def awaits_review(self) -> bool:
        """Whether people have yet to say what its design is worth."""
        return (
            self.part.kind is PartKind.DESIGN
            and bool(self.design)
            and self.decided is None
            and self._reviewed() is None
        )

    @property
    def points(self) -> float:
        """What was earned so far; 0 for a design that awaits its reviews."""
        return round(self.part.points * self._share(), 6) if self.decided is None else self.decided

    def _share(self) -> float:
        if self.part.kind is PartKind.QUESTIONS:
            return sum(self.answers.values()) / self.asked if self.asked else 0.0
        if self.part.kind is PartKind.LABS:
            best = [max((points / of for points, of in self.gradings.get(lab, ())), default=0.0) for lab in self.drawn]
            return fmean(best) if best else 0.0
        return self._reviewed() or 0.0

    def _reviewed(self) -> float | None:
        given = list(self.reviews.values())
        if len(given) < REVIEWERS:
            return None
        if round(abs(given[0] - given[1]), 6) <= AGREE_SHARE:
            return fmean(given[:REVIEWERS])
        return median(given[: REVIEWERS + 1]) if len(given) > REVIEWERS else None


@dataclass(slots=True)
class Attempt:
    """One attempt at an exam, as its events tell; `invalid` says why it cannot count."""

    number: int
    exam: Exam
    seed: int
    begun: datetime
    versions: Mapping[str, str]
    parts: dict[str, PartStanding]
    invalid: str = ""
    invalid_since: datetime | None = None

    def part_of(self, kind: PartKind) -> PartStanding | None:
        """Its part of a kind, of which an exam has one at most."""
        return next((part for part in self.parts.values() if part.part.kind is kind), None)

    @property
    def ends(self) -> datetime:
        """When it is over, whatever was done."""
        return self.begun + self.exam.lasts

    @property
    def points(self) -> float:
        """Earned in all parts."""
        return sum(part.points for part in self.parts.values())

    @property
    def share(self) -> float:
        """Of the exam's points; rounded, because 0.1 + 0.2 is more than 0.3."""
        return round(self.points / self.exam.points, 6)

    def open_at(self, now: datetime, part: PartStanding) -> bool:
        """Whether something may still be done for a part of it."""
        return now < self.ends and part.open_at(now)

    def state_at(self, now: datetime) -> State:
        """Where it stands."""
        if self.invalid:
            return State.INVALID
        parts = self.parts.values()
        if any(self.open_at(now, part) for part in parts):
            return State.RUNNING
        if any(part.awaits_review for part in parts):
            return State.IN_REVIEW
        enough = all(part.points >= part.part.points * part.part.least_share for part in parts)
        return State.PASSED if enough and self.share >= self.exam.pass_share else State.FAILED

    def ended_at(self, now: datetime) -> datetime:
        """When nothing could be done for it any more; now, while something can."""
        if self.invalid_since is not None:
            return self.invalid_since
        ends = [min(one for one in (part.closed, part.deadline, self.ends) if one) for part in self.parts.values()]
        return min(now, max(ends))

    def certified(self, passed_labs: Iterable[str]) -> Certified | None:
        """The highest of what its points are certified as; the labs that certificates ask for besides are looked up in those passed."""
        passed = set(passed_labs)
        earned = [one for one in self.exam.certificates if self.share >= one.from_share and passed.issuperset(one.labs)]
        return max(earned, key=lambda one: one.from_share, default=None)


def attempts(exam: Exam, events: Iterable[Happened]) -> list[Attempt]:
    """The attempts at an exam, oldest first. What came after a part's clock had run out does not count."""
    found: list[Attempt] = []
    latest: datetime | None = None
    for event in events:
        if latest is not None and event.at < latest - BACKWARDS and found:
            _went_back(found[-1], latest, event.at)
        latest = event.at if latest is None else max(latest, event.at)
        if event.exam != exam.slug or not event.kind.startswith("exam_"):
            continue
        if event.kind == "exam_begun":
            found.append(_begun(exam, len(found) + 1, event))
        else:
            _took_place(found[event.body["attempt"] - 1], event)
    return found


def _went_back(attempt: Attempt, latest: datetime, at: datetime) -> None:
    # Before it began, and when nothing could be done for it any more, it had nothing to gain.
    if (
        attempt.begun < latest
        and not attempt.invalid
        and any(attempt.open_at(at, one) for one in attempt.parts.values())
    ):
        attempt.invalid = f"the clock went back from {latest:%Y-%m-%d %H:%M:%S} to {at:%Y-%m-%d %H:%M:%S} UTC"
        attempt.invalid_since = latest


def _begun(exam: Exam, number: int, event: Happened) -> Attempt:
    parts = {part.id: PartStanding(part) for part in exam.parts}
    for name, part in parts.items():
        part.asked = event.body["asked"].get(name, 0)
        part.drawn = tuple(event.body["drawn"].get(name, ()))
    return Attempt(number, exam, event.body["seed"], event.at, event.body["versions"], parts)


def _took_place(attempt: Attempt, event: Happened) -> None:
    body = event.body
    part = attempt.parts.get(body["part"])
    if part is None:  # of an exam that had other parts then
        return
    if event.kind == "exam_reviewed":
        part.reviews[body["reviewer"]] = sum(body["scores"].values()) / sum(one.points for one in part.part.criteria)
    elif event.kind == "exam_decided":
        part.decided = body["points"]
    elif event.kind == "exam_graded":
        # A grading takes minutes: what counts is when the lab was handed in, and whether it was in time.
        got = part.gradings.setdefault(body["lab"], [])
        if len(got) < part.used(body["lab"]):
            got.append((body["points"], body["of"]))
    elif event.kind == "exam_untold":
        part.untold[body["lab"]] = part.untold.get(body["lab"], 0) + 1
    elif attempt.open_at(event.at, part):
        if event.kind == "exam_opened":
            part.begun = event.at
        elif event.kind == "exam_answered":
            part.answers.setdefault(body["question"], body["right"])
        elif event.kind == "exam_handed_in":
            if part.used(body["lab"]) < MOST_GRADINGS:
                part.handed_in.setdefault(body["lab"], []).append(event.at)
        elif event.kind == "exam_designed":
            part.design = body["text"]
        elif event.kind == "exam_closed":
            part.closed = event.at


def may_begin(exam: Exam, before: Sequence[Attempt], now: datetime) -> str:
    """Why no attempt may be begun now; nothing when it may."""
    if any(one.state_at(now) in (State.RUNNING, State.IN_REVIEW) for one in before):
        return f"attempt {before[-1].number} at {exam.slug} has not ended"
    if any(one.state_at(now) is State.PASSED for one in before):
        return f"{exam.slug} is passed"
    if len(before) >= exam.most_attempts:
        return f"there were {len(before)} attempts at {exam.slug}, and no more are allowed"
    if before and (next_at := before[-1].ended_at(now) + exam.cool_off) > now:
        return f"the next attempt at {exam.slug} may begin at {next_at.isoformat(timespec='minutes')}"
    return ""
