"""What an exam asks, and where an attempt at it stands, as the events of the gradebook tell. Pure; the present time is an argument.

Every answer, grading, design and review is an event of its own, so that an attempt goes on where it was when the machine stopped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import fmean, median
from typing import Any

REVIEWERS = 2
"""Who must review a design, each without the other."""

AGREE_SHARE = 0.15
"""Of a design's points: when two reviews lie further apart, a third decides, and the middle one counts."""

BACKWARDS = timedelta(seconds=5)
"""So much earlier than the event before it may an event be; clocks are set right in smaller steps."""

MOST_GRADINGS = 5
"""Of one lab in an attempt; the best counts."""


class PartKind(StrEnum):
    """How a part is done: questions are answered, labs repaired, a design written and reviewed by people."""

    QUESTIONS = "questions"
    LABS = "labs"
    DESIGN = "design"


class State(StrEnum):
    """Of an attempt."""

    RUNNING = "running"
    IN_REVIEW = "in review"
    PASSED = "passed"
    FAILED = "failed"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Section:
    """So many questions, drawn from the quizzes named, of the subjects named."""

    title: str
    draw: int
    quizzes: tuple[str, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Criterion:
    """What reviewers of a design give points for."""

    id: str
    title: str
    points: int


@dataclass(frozen=True, slots=True)
class Task:
    """One of the systems to design."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an exam, with a clock of its own that starts when it is opened. One of each group of `labs` and one of `tasks` is drawn."""

    id: str
    title: str
    kind: PartKind
    minutes: int
    points: int
    least_share: float = 0.0
    sections: tuple[Section, ...] = ()
    labs: tuple[tuple[str, ...], ...] = ()
    tasks: tuple[Task, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Certified:
    """What a share of an exam's points is certified as. `labs` must have been passed besides."""

    title: str
    from_share: float
    labs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exam:
    """An exam. `cool_off` lies between the end of an attempt and the begin of the next; an attempt ends `lasts` after its begin."""

    slug: str
    title: str
    pass_share: float
    most_attempts: int
    cool_off: timedelta
    lasts: timedelta
    parts: tuple[Part, ...]
    certificates: tuple[Certified, ...]
    version: str

    @property
    def points(self) -> int:
        """To be had in all parts."""
        return sum(part.points for part in self.parts)

    def part(self, name: str) -> Part | None:
        """The part of that id."""
        return next((part for part in self.parts if part.id == name), None)


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

    `answers` are by question, `gradings` by lab; `design` is the text handed in. `decided` are points that an instructor set.
    """

    part: Part
    begun: datetime | None = None
    closed: datetime | None = None
    answers: dict[str, bool] = field(default_factory=dict)
    asked: int = 0
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
        return self.closed is None and (self.deadline is None or now < self.deadline)

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
        return self.part.points * self._share() if self.decided is None else self.decided

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
        if len(given) > REVIEWERS:
            return median(given)
        return fmean(given) if round(max(given) - min(given), 6) <= AGREE_SHARE else None


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
        ends = [min(part.closed or part.deadline or self.ends, self.ends) for part in self.parts.values()]
        return min(now, max(ends))

    def certified(self, passed_labs: Iterable[str]) -> Certified | None:
        """The highest of what its points are certified as; the labs that certificates ask for besides are looked up in those passed."""
        passed = set(passed_labs)
        earned = [one for one in self.exam.certificates if self.share >= one.from_share and passed.issuperset(one.labs)]
        return max(earned, key=lambda one: one.from_share, default=None)


def attempts(exam: Exam, events: Iterable[Happened]) -> list[Attempt]:
    """The attempts at an exam, oldest first. What came after a part's clock had run out does not count."""
    found: list[Attempt] = []
    before: datetime | None = None
    for event in events:
        backwards = before is not None and event.at < before - BACKWARDS
        before = event.at
        if event.exam != exam.slug:
            continue
        if event.kind == "exam_begun":
            found.append(_begun(exam, len(found) + 1, event))
        elif found:
            _took_place(found[-1] if "attempt" not in event.body else found[event.body["attempt"] - 1], event)
        if found and backwards:
            found[-1].invalid = f"the clock went back to {event.at.isoformat(timespec='seconds')}"
    return found


def _begun(exam: Exam, number: int, event: Happened) -> Attempt:
    parts = {part.id: PartStanding(part) for part in exam.parts}
    for name, asked in event.body["asked"].items():
        parts[name].asked = asked
    for name, drawn in event.body["drawn"].items():
        parts[name].drawn = tuple(drawn)
    return Attempt(number, exam, event.body["seed"], event.at, event.body["versions"], parts)


def _took_place(attempt: Attempt, event: Happened) -> None:
    body = event.body
    part = attempt.parts[body["part"]]
    if event.kind == "exam_reviewed":
        part.reviews[body["reviewer"]] = sum(body["scores"].values()) / sum(one.points for one in part.part.criteria)
    elif event.kind == "exam_decided":
        part.decided = body["points"]
    elif event.kind == "exam_graded":
        # A grading takes minutes: what counts is when it was asked for.
        if attempt.open_at(datetime.fromisoformat(body["handed_in"]), part):
            part.gradings.setdefault(body["lab"], []).append((body["points"], body["of"]))
    elif attempt.open_at(event.at, part):
        if event.kind == "exam_opened":
            part.begun = event.at
        elif event.kind == "exam_answered":
            part.answers.setdefault(body["question"], body["right"])
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
