"""What learners and judges do to an attempt: each is allowed or refused by where it stands, and appended to the gradebook."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader.adapters.gradebook import Event, Gradebook
from grader.catalog import Catalog
from grader.domain.attempt import BACKWARDS, MOST_GRADINGS, Attempt, Happened, PartStanding, State, attempts, may_begin
from grader.domain.exam import Exam, PartKind
from grader.domain.quiz import Answered, Asked
from grader.domain.verdict import Result
from grader.errors import LabError, NotNow
from grader.exams import papers
from grader.exams.designs import lacks
from grader.progress import FILE, Progress
from grader.quizzes import bank

SEEDS = 10**9


class Sitting:
    """One learner's exams, below the folder of the workspaces."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self._book = Gradebook(work / FILE)
        self._progress = Progress(work)

    def attempts(self, exam: Exam) -> list[Attempt]:
        """All attempts at an exam, oldest first. Raises GradebookBroken."""
        return _attempts(exam, self._book.events())

    def running(self) -> Attempt:
        """The attempt that runs. Raises NotNow when none does."""
        for slug in papers.slugs():
            for attempt in self.attempts(papers.exam(slug)):
                if attempt.state_at(_now()) is State.RUNNING:
                    return attempt
        raise NotNow("no exam is being taken: `capstone exam start NAME` begins one")

    def begin(self, exam: Exam) -> Attempt:
        """Begin an attempt. Raises NotNow, and ExamInvalid when there is too little to draw from."""
        seed = secrets.randbelow(SEEDS)
        drawn = papers.draw(exam, seed, Catalog(), self.solutions_shown())
        body = {
            "seed": seed,
            "versions": drawn.versions,
            "asked": drawn.asked,
            "drawn": {part: list(names) for part, names in drawn.names.items()},
        }

        def allowed(events: list[Event]) -> None:
            now = _now()
            if events and now < (last := max(datetime.fromisoformat(one.at) for one in events)) - BACKWARDS:
                raise NotNow(
                    f"the clock of this machine is behind the gradebook, whose last event is of {_clock(last)}"
                )
            if refused := may_begin(exam, _attempts(exam, events), now):
                raise NotNow(refused)
            for slug in papers.slugs():
                others = _attempts(papers.exam(slug), events)
                if others and others[-1].state_at(now) is State.RUNNING:
                    raise NotNow(f"attempt {others[-1].number} at {slug} has not ended")

        self._book.append("exam_begun", exam.slug, body, allowed)
        return self.attempts(exam)[-1]

    def unchanged(self, attempt: Attempt) -> None:
        """Raise LabError when a file of what is asked is another than when the attempt was begun."""
        judged_as_then(attempt)
        catalog = Catalog()
        for name, version in attempt.versions.items():
            kind, _, slug = name.partition("/")
            if kind == "quizzes":
                now = bank.quiz(slug).version
            elif kind == "labs":
                now = catalog.lab(slug).version
            else:
                continue
            if now != version:
                raise LabError(f"{name} is another than when {_named(attempt)} was begun: take the checkout of then")

    def opened(self, attempt: Attempt, kind: PartKind, *, open_it: bool = True) -> PartStanding:
        """The part of this kind. Its clock runs from now on if it did not before. Raises NotNow: it is over, or not opened."""
        part = attempt.part_of(kind)
        if part is None:
            raise NotNow(f"{attempt.exam.slug} has no part of the kind {kind}")
        now = _now()
        if not attempt.open_at(now, part):
            ends = [one for one in (part.closed, part.deadline, attempt.ends) if one]
            raise NotNow(f'"{part.part.title}" ended at {_clock(min(ends))}')
        if part.begun is None:
            if not open_it:
                raise NotNow(f'"{part.part.title}" is not opened yet: `capstone exam {kind}` does')
            self._note("exam_opened", attempt, part)
            part.begun = now
        return part

    def answer(self, attempt: Attempt, part: PartStanding, question: Asked, answer: Answered) -> None:
        """Keep an answer, unless the part is over by now: raises NotNow."""
        body = {"question": question.id, "given": list(answer.given), "right": answer.right}
        self._note("exam_answered", attempt, part, body)

    def hand_in_lab(self, attempt: Attempt, part: PartStanding, lab: str) -> int:
        """Note that a lab is handed in now: one of its gradings is used, however this one ends. Returns which it is. Raises NotNow."""
        if lab not in part.drawn:
            raise NotNow(f'"{lab}" is not asked: {", ".join(part.drawn)} are')
        if lab in self.solutions_shown():
            raise NotNow(f"the solution of {lab} was shown: it cannot count")

        def once_more(now_part: PartStanding) -> None:
            if now_part.used(lab) >= MOST_GRADINGS:
                raise NotNow(f"{lab} was handed in {MOST_GRADINGS} times, and no more is allowed")

        self._note("exam_handed_in", attempt, part, {"lab": lab}, once_more)
        return self.attempts(attempt.exam)[attempt.number - 1].parts[part.part.id].used(lab)

    def graded(self, attempt: Attempt, part: PartStanding, result: Result) -> None:
        """Keep what a lab got. Raises NotNow for a result that cannot count, which gives the grading back."""
        if not result.may_count:
            why = "a check could not be judged" if result.undecided else "the code was not confined"
            self._append("exam_untold", attempt, part, {"lab": result.lab})
            raise NotNow(f"{result.lab}: {why}: this does not count, and uses no grading")
        body = {"lab": result.lab, "points": result.points, "of": result.of}
        kept = {"lab_version": result.lab_version, "lab_seed": result.seed, "servers": dict(result.versions)}
        self._append("exam_graded", attempt, part, body | kept)

    def hand_in(self, attempt: Attempt, part: PartStanding, text: str) -> None:
        """Keep a design; a later one takes its place. Raises LabError with what it lacks."""
        if lacking := lacks(text, part.part.headings):
            raise LabError(f"the design cannot be handed in yet: {'; '.join(lacking)}")
        self._note("exam_designed", attempt, part, {"text": text})

    def close(self, attempt: Attempt, part: PartStanding) -> None:
        """End a part before its time."""
        self._note("exam_closed", attempt, part)

    def review(self, attempt: Attempt, reviewer: str, scores: Mapping[str, float]) -> None:
        """Keep one person's review of the design. Raises NotNow and LabError."""
        part = attempt.part_of(PartKind.DESIGN)
        if part is None or not part.design:
            raise NotNow(f"{_named(attempt)} has no design to review")
        name = " ".join(reviewer.split())
        if not name.isprintable() or not name:
            raise LabError(f"{reviewer!r} names no reviewer")
        criteria = {one.id: one.points for one in part.part.criteria}
        for criterion in {*scores, *criteria}:
            if criterion not in scores or criterion not in criteria:
                raise LabError(f'"{criterion}": scores are needed for {", ".join(criteria)}, and for nothing else')
            if not 0 <= scores[criterion] <= criteria[criterion]:
                raise LabError(f"{criterion}: {scores[criterion]:g} is not between 0 and {criteria[criterion]}")

        def wanted(events: list[Event]) -> None:
            now = _attempts(attempt.exam, events)[attempt.number - 1]
            standing = now.parts[part.part.id]
            if now.open_at(_now(), standing):
                raise NotNow(f'"{part.part.title}" has not ended yet')
            if name.casefold() in {one.casefold() for one in standing.reviews}:
                raise NotNow(f"{name} reviewed it already")
            if not standing.awaits_review:
                raise NotNow(f"{_named(attempt)} needs no further review")

        self._append("exam_reviewed", attempt, part, {"reviewer": name, "scores": dict(scores)}, wanted)

    def decide(self, attempt: Attempt, name: str, points: float, by: str, reason: str) -> None:
        """Set the points of a part, whatever was earned; who did it and why is kept."""
        part = attempt.parts.get(name)
        if part is None:
            raise LabError(f'"{name}": {attempt.exam.slug} has the parts {", ".join(attempt.parts)}')
        if not 0 <= points <= part.part.points:
            raise LabError(f"{points:g} points are not between 0 and {part.part.points}")
        if not by.strip() or not reason.strip():
            raise LabError("who decides, and why, must be said")
        told = {"points": points, "by": by, "reason": reason, "earned": part.points}
        self._append("exam_decided", attempt, part, told)

    def passed_labs(self) -> list[str]:
        """The labs that were passed, by gradings that may count."""
        graded = [event.body for event in self._progress.events() if event.kind == "graded"]
        return [one["lab"] for one in graded if one["passed"] and one["may_count"]]

    def certified(self, attempt: Attempt, title: str, holder: str) -> dict[str, Any]:
        """Note that an attempt is certified. Returns what a certificate says of the gradebook. Raises NotNow: an attempt has one holder."""

        def to_nobody_else(events: list[Event]) -> None:
            for one in events:
                same = one.kind == "certified" and (one.lab, one.body["attempt"]) == (attempt.exam.slug, attempt.number)
                if same and one.body["holder"] != holder:
                    raise NotNow(f"{_named(attempt)} was certified to {one.body['holder']}")

        body = {"attempt": attempt.number, "title": title, "holder": holder}
        self._book.append("certified", attempt.exam.slug, body, to_nobody_else)
        return self._book.last()

    def solutions_shown(self) -> set[str]:
        """The labs whose solutions were shown: they cannot be handed in."""
        return {event.lab for event in self._progress.events() if event.kind == "solution"}

    def _note(
        self,
        kind: str,
        attempt: Attempt,
        part: PartStanding,
        body: Mapping[str, object] | None = None,
        allowed: Callable[[PartStanding], None] = lambda part: None,
    ) -> None:
        """Append what the learner does, while the part is open: another terminal may have closed it."""

        def still_open(events: list[Event]) -> None:
            now = _attempts(attempt.exam, events)[attempt.number - 1]
            standing = now.parts[part.part.id]
            if not now.open_at(_now(), standing):
                raise NotNow(f'"{part.part.title}" is over: this came too late')
            allowed(standing)

        self._append(kind, attempt, part, body, still_open)

    def _append(
        self,
        kind: str,
        attempt: Attempt,
        part: PartStanding,
        body: Mapping[str, object] | None = None,
        allowed: Callable[[list[Event]], None] = lambda events: None,
    ) -> None:
        told = {"attempt": attempt.number, "part": part.part.id, **(body or {})}
        self._book.append(kind, attempt.exam.slug, told, allowed)


def judged_as_then(attempt: Attempt) -> None:
    """Raise LabError when the exam's file is another than when an attempt was begun: it would be judged by other rules."""
    if attempt.versions.get(f"exams/{attempt.exam.slug}") != attempt.exam.version:
        raise LabError(
            f"labs/exams/{attempt.exam.slug}.yaml is another than when {_named(attempt)} was begun: take the checkout of then"
        )


def _attempts(exam: Exam, events: Sequence[Event]) -> list[Attempt]:
    return attempts(exam, [Happened(datetime.fromisoformat(one.at), one.kind, one.lab, one.body) for one in events])


def _named(attempt: Attempt) -> str:
    return f"attempt {attempt.number} at {attempt.exam.slug}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def _now() -> datetime:
    return datetime.now(UTC)
