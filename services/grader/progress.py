"""What the gradebook means: which labs and quizzes were begun, what was earned, which hints were given, whether a solution
was shown."""

import dataclasses
from pathlib import Path
from typing import Any

from grader.adapters.gradebook import Event, Gradebook
from grader.domain.lab import Lab
from grader.domain.quiz import Quiz, QuizResult
from grader.domain.verdict import Result

FILE = "gradebook.sqlite"


class Progress:
    """One learner's, below the folder of the workspaces."""

    def __init__(self, work: Path) -> None:
        self._book = Gradebook(work / FILE)

    def note(self, kind: str, lab: Lab) -> None:
        """Append that something happened to a lab: started, reset, solution."""
        self._book.append(kind, lab.slug, {"lab_version": lab.version})

    def graded(self, result: Result) -> None:
        """Append a result; one that the grader could not finish uses no attempt."""
        body = dataclasses.asdict(result) | {
            "points": result.points,
            "of": result.of,
            "passed": result.passed,
            "attempt": not result.undecided,
            "may_count": result.may_count,
        }
        self._book.append("graded", result.lab, body)

    def quiz_begun(self, quiz: Quiz, seed: int) -> None:
        """Append that the questions of an attempt are shown from now on."""
        self._book.append("quiz_begun", quiz.slug, {"quiz_version": quiz.version, "seed": seed})

    def quiz_taken(self, result: QuizResult) -> None:
        """Append the result of an attempt that came to its end."""
        totals = {"points": result.points, "of": result.of, "passed": result.passed}
        self._book.append("quiz_taken", result.quiz, dataclasses.asdict(result) | totals)

    def best_of_quizzes(self) -> dict[str, float]:
        """The largest share answered right of each quiz that was taken; practice does not count."""
        found: dict[str, float] = {}
        for event in self._book.events():
            if event.kind == "quiz_taken" and not event.body["practice"]:
                share = event.body["points"] / event.body["of"]
                found[event.lab] = max(found.get(event.lab, 0), share)
        return found

    def events(self) -> list[Event]:
        """Everything, oldest first. Raises GradebookBroken."""
        return self._book.events()

    def solution_shown(self, slug: str) -> bool:
        """Whether this lab is practice from now on."""
        return any(event.kind == "solution" for event in self._book.events(slug))

    def best(self) -> dict[str, int]:
        """The most points earned of each lab that was graded; practice does not count."""
        found: dict[str, int] = {}
        for event in self._book.events():
            if event.kind == "graded" and event.body["attempt"] and not event.body["practice"]:
                found[event.lab] = max(found.get(event.lab, 0), event.body["points"])
        return found

    def next_hint(self, lab: Lab) -> dict[str, Any] | None:
        """The hint of the first verdict of the last grading whose hint was not given since; the first of all when each was."""
        events = self._book.events(lab.slug)
        last = _last_graded(events)
        if last is None:
            return None
        hints = [verdict for verdict in last.body["verdicts"] if verdict["hint"]]
        given = {event.body["check"] for event in events if event.kind == "hint" and event.seq > last.seq}
        chosen = next((verdict for verdict in hints if verdict["check"] not in given), hints[0] if hints else None)
        if chosen is None:
            return None
        self._book.append("hint", lab.slug, {"check": chosen["check"], "reason": chosen["reason"]})
        return {key: chosen[key] for key in ("check", "title", "because", "hint")}


def _last_graded(events: list[Event]) -> Event | None:
    return next((event for event in reversed(events) if event.kind == "graded"), None)
