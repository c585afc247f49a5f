"""What learners and judges do to an attempt: each is allowed or refused by where it stands, and appended to the gradebook."""

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader.adapters.gradebook import Gradebook
from grader.catalog import Catalog
from grader.domain.exam import (
    MOST_GRADINGS,
    Attempt,
    Exam,
    Happened,
    PartKind,
    PartStanding,
    State,
    attempts,
    may_begin,
)
from grader.domain.quiz import Answered, Asked
from grader.domain.verdict import Result
from grader.errors import LabError, NotNow
from grader.exams import papers
from grader.progress import FILE, Progress
from grader.quizzes import bank

FEWEST_WORDS = 40
"""Below each heading of a design."""

MOST_DESIGN_BYTES = 256 * 1024

DIAGRAM = "Diagram"
"""The heading below which a block with a drawing is looked for."""

SEEDS = 10**9


class Sitting:
    """One learner's exams, below the folder of the workspaces."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self._book = Gradebook(work / FILE)
        self._progress = Progress(work)

    def attempts(self, exam: Exam) -> list[Attempt]:
        """All attempts at an exam, oldest first. Raises GradebookBroken."""
        events = self._book.events()
        return attempts(exam, [Happened(datetime.fromisoformat(one.at), one.kind, one.lab, one.body) for one in events])

    def running(self) -> Attempt:
        """The attempt that runs. Raises NotNow when none does."""
        for slug in papers.slugs():
            for attempt in self.attempts(papers.exam(slug)):
                if attempt.state_at(_now()) is State.RUNNING:
                    return attempt
        raise NotNow("no exam is being taken: `capstone exam start NAME` begins one")

    def begin(self, exam: Exam) -> Attempt:
        """Begin an attempt. Raises NotNow, and ExamInvalid when there is too little to draw from."""
        if refused := may_begin(exam, self.attempts(exam), _now()):
            raise NotNow(refused)
        for slug in papers.slugs():
            others = self.attempts(papers.exam(slug))
            if others and others[-1].state_at(_now()) is State.RUNNING:
                raise NotNow(f"attempt {others[-1].number} at {slug} has not ended")
        seed = secrets.randbelow(SEEDS)
        drawn = papers.draw(exam, seed, Catalog(), self._shown())
        body = {
            "seed": seed,
            "versions": drawn.versions,
            "asked": drawn.asked,
            "drawn": {part: list(names) for part, names in drawn.names.items()},
        }
        self._book.append("exam_begun", exam.slug, body)
        return self.attempts(exam)[-1]

    def unchanged(self, attempt: Attempt) -> None:
        """Raise LabError when a file of what is asked is another than when the attempt was begun."""
        catalog = Catalog()
        for name, version in attempt.versions.items():
            kind, _, slug = name.partition("/")
            if kind == "exams":
                now = attempt.exam.version
            else:
                now = bank.quiz(slug).version if kind == "quizzes" else catalog.lab(slug).version
            if now != version:
                raise LabError(
                    f"{name} is another than when attempt {attempt.number} at {attempt.exam.slug} was begun: take the checkout of then"
                )

    def opened(self, attempt: Attempt, kind: PartKind) -> PartStanding:
        """The part of this kind, whose clock runs from now on if it did not before. Raises NotNow when it is over."""
        part = next((one for one in attempt.parts.values() if one.part.kind is kind), None)
        if part is None:
            raise NotNow(f"{attempt.exam.slug} has no part of the kind {kind}")
        now = _now()
        if not attempt.open_at(now, part):
            ended = part.closed or part.deadline or attempt.ends
            raise NotNow(f'"{part.part.title}" ended at {min(ended, attempt.ends).isoformat(timespec="minutes")}')
        if part.begun is None:
            self._note("exam_opened", attempt, part)
            part.begun = now
        return part

    def answer(self, attempt: Attempt, part: PartStanding, question: Asked, answer: Answered) -> None:
        """Keep an answer, unless the part is over by now: raises NotNow."""
        if not attempt.open_at(_now(), part):
            raise NotNow(f'the time for "{part.part.title}" is over: the last answer came too late')
        body = {"question": question.id, "given": list(answer.given), "right": answer.right}
        self._note("exam_answered", attempt, part, body)
        part.answers.setdefault(question.id, answer.right)

    def may_be_graded(self, attempt: Attempt, part: PartStanding, lab: str) -> None:
        """Raise NotNow when a lab cannot be handed in."""
        if lab not in part.drawn:
            raise NotNow(f'"{lab}" is not asked: {", ".join(part.drawn)} are')
        if lab in self._shown():
            raise NotNow(f"the solution of {lab} was shown: it cannot count")
        if len(part.gradings.get(lab, ())) >= MOST_GRADINGS:
            raise NotNow(f"{lab} was graded {MOST_GRADINGS} times, and no more is allowed")

    def graded(self, attempt: Attempt, part: PartStanding, result: Result, handed_in: datetime) -> None:
        """Keep what a lab got; raises NotNow for a result that cannot count, which uses none of its gradings."""
        if not result.may_count:
            why = "a check could not be judged" if result.undecided else "the code was not confined"
            raise NotNow(f"{result.lab}: {why}: this does not count, and uses no grading")
        body = {"lab": result.lab, "points": result.points, "of": result.of, "handed_in": handed_in.isoformat()}
        kept = {"lab_version": result.lab_version, "lab_seed": result.seed, "servers": dict(result.versions)}
        self._note("exam_graded", attempt, part, body | kept)

    def hand_in(self, attempt: Attempt, part: PartStanding, text: str) -> None:
        """Keep a design; a later one takes its place. Raises LabError with what it lacks."""
        if lacking := lacks(text, part.part.headings):
            raise LabError(f"the design cannot be handed in yet: {'; '.join(lacking)}")
        if not attempt.open_at(_now(), part):
            raise NotNow(f'the time for "{part.part.title}" is over')
        self._note("exam_designed", attempt, part, {"text": text})

    def close(self, attempt: Attempt, part: PartStanding) -> None:
        """End a part before its time."""
        self._note("exam_closed", attempt, part)

    def review(self, attempt: Attempt, reviewer: str, scores: Mapping[str, float]) -> None:
        """Keep one person's review of the design. Raises NotNow and LabError."""
        part = next((one for one in attempt.parts.values() if one.part.kind is PartKind.DESIGN), None)
        if part is None or not part.design:
            raise NotNow(f"attempt {attempt.number} at {attempt.exam.slug} has no design to review")
        if attempt.open_at(_now(), part):
            raise NotNow(f'"{part.part.title}" has not ended yet')
        if reviewer in part.reviews:
            raise NotNow(f"{reviewer} reviewed it already")
        criteria = {one.id: one.points for one in part.part.criteria}
        for name in {*scores, *criteria}:
            if name not in scores or name not in criteria:
                raise LabError(f'"{name}": scores are needed for {", ".join(criteria)}, and for nothing else')
            if not 0 <= scores[name] <= criteria[name]:
                raise LabError(f"{name}: {scores[name]:g} is not between 0 and {criteria[name]}")
        self._note("exam_reviewed", attempt, part, {"reviewer": reviewer, "scores": dict(scores)})

    def decide(self, attempt: Attempt, name: str, points: float, by: str, reason: str) -> None:
        """Set the points of a part, whatever was earned; who did it and why is kept."""
        part = attempt.parts.get(name)
        if part is None:
            raise LabError(f'"{name}": {attempt.exam.slug} has the parts {", ".join(attempt.parts)}')
        if not 0 <= points <= part.part.points:
            raise LabError(f"{points:g} points are not between 0 and {part.part.points}")
        if not by.strip() or not reason.strip():
            raise LabError("who decides, and why, must be said")
        self._note("exam_decided", attempt, part, {"points": points, "by": by, "reason": reason, "earned": part.points})

    def last_event(self) -> dict[str, Any]:
        """How many events the gradebook has, and the hash of the last, which holds those of all before."""
        return self._book.last()

    def _shown(self) -> set[str]:
        return {event.lab for event in self._progress.events() if event.kind == "solution"}

    def _note(self, kind: str, attempt: Attempt, part: PartStanding, body: Mapping[str, object] | None = None) -> None:
        told = {"attempt": attempt.number, "part": part.part.id, **(body or {})}
        self._book.append(kind, attempt.exam.slug, told)


def lacks(text: str, headings: tuple[str, ...]) -> list[str]:
    """What a design lacks that can be told without understanding it."""
    if len(text.encode()) > MOST_DESIGN_BYTES:
        return [f"it is longer than {MOST_DESIGN_BYTES // 1024} KiB"]
    parts = re.split(r"^## +(.+?)\s*$", text, flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    lacking = []
    for heading in headings:
        if heading not in found:
            lacking.append(f'the heading "## {heading}" is missing')
        elif heading == DIAGRAM:
            if not re.search(r"^```.*\n(?:.*\n){3,}?```", found[heading], flags=re.MULTILINE):
                lacking.append(
                    f'below "## {heading}" is no block (```) of three lines or more with a drawing, such as Mermaid'
                )
        elif (words := len(found[heading].split())) < FEWEST_WORDS:
            lacking.append(f'below "## {heading}" are {words} words, at least {FEWEST_WORDS} are needed')
    return lacking


def _now() -> datetime:
    return datetime.now(UTC)
