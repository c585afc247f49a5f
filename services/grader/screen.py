"""What a person sees of a grading: each check as it ends, with time, points and evidence."""

import re

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.text import Text

from conductor.command_line import as_typed
from grader.domain.lab import Check, Lab
from grader.domain.verdict import Outcome, Result, Verdict

MARKS = {
    Outcome.PASSED: ("✓", "green"),
    Outcome.FAILED: ("✗", "red"),
    Outcome.SKIPPED: ("·", "yellow"),
    Outcome.ERROR: ("!", "magenta"),
}

ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
"""Colours and the like (ECMA-48); taken out whole, because loggers print them."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Screen:
    """Prints to standard output, or nothing at all when it is quiet."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(quiet=quiet, highlight=False)
        self._status: Status | None = None
        self._number = 0

    def begin(self, lab: Lab, unconfined: str) -> None:
        """Say what will be checked."""
        self._number = 0
        hidden = f", {lab.hidden} of them hidden" if lab.hidden else ""
        self._console.print(f"[bold]{escape(lab.title)}[/bold]: {len(lab.checks)} checks{hidden}, {lab.points} points")
        if unconfined:
            self._console.print(f"[dim]{escape(unconfined)}[/dim]", soft_wrap=True)

    def starting(self, check: Check) -> None:
        """A check begins; a hidden one is known by its number until it has ended."""
        self._number += 1
        title = f"check {self._number} (hidden)" if check.hidden else check.title
        if self._console.is_terminal:
            self._status = self._console.status(escape(title))
            self._status.start()

    def said(self, verdict: Verdict) -> None:
        """A check has ended."""
        if self._status is not None:
            self._status.stop()
        mark, colour = MARKS[verdict.outcome]
        line = Text.assemble(
            (f"{mark} ", colour),
            (verdict.title, "bold"),
            (f"  {verdict.points}/{verdict.of}", colour),
            (f"  {verdict.seconds:.1f} s", "dim"),
        )
        self._console.print(line)
        self._console.print(f"    {escape(visible(verdict.because))}", soft_wrap=True)
        for text in verdict.output.split("\n"):
            if text:
                self._console.print(f"    [dim]│ {escape(visible(text))}[/dim]", soft_wrap=True)

    def end(self, result: Result) -> None:
        """Say what it comes to."""
        if result.undecided:
            verdict = "[magenta]the grader failed at a check: this uses no attempt; try again[/magenta]"
        elif result.passed:
            verdict = "[green]passed[/green]"
        else:
            verdict = "[red]not passed[/red]"
        practice = " (practice: the solution was shown)" if result.practice else ""
        self._console.print(
            f"[bold]{result.points}/{result.of}[/bold] {verdict}{practice}  [dim]seed {result.seed}[/dim]"
        )
        if any(one.hint for one in result.verdicts):
            self._console.print(as_typed(f"`capstone lab hint {result.lab}` says more."))


def visible(text: str) -> str:
    """The text without what moves a terminal's cursor or clears it: learner code could write a verdict of its own over ours."""
    plain = ESCAPES.sub("", text)
    return "".join(one if one.isprintable() or one == "\t" else REPLACEMENT for one in plain)
