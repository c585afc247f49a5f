"""An attempt at a quiz at a terminal: a question, an answer, and at once what is right about it and why."""

from collections.abc import Callable, Iterable, Iterator

from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from grader.domain.quiz import Answered, Asked, Kind, NoAnswer, Quiz, QuizResult, answered

HOW = {
    Kind.ONE: "one letter",
    Kind.SEVERAL: "every letter that is right",
    Kind.TRUE_FALSE: "true or false",
    Kind.BLANK: "a word or a number",
}
WIDTH = 110
"""Of what is read, in columns; narrower where the terminal is."""


class QuizScreen:
    """Prints to standard output."""

    def __init__(self) -> None:
        console = Console(highlight=False)
        console.width = min(console.width, WIDTH)
        self._console = console

    def begin(self, quiz: Quiz, count: int) -> None:
        """Say what will be asked."""
        self._console.print(
            f"[bold]{escape(quiz.title)}[/bold]: {count} questions, {quiz.pass_share:.0%} right to pass"
        )

    def ask(self, number: int, count: int, question: Asked) -> None:
        """Put a question."""
        self._console.print(f"\n[dim]{number} of {count} · {question.subject}[/dim]")
        self._console.print(_read(question.text))
        if question.kind in (Kind.ONE, Kind.SEVERAL):
            rows = zip(question.letters, (choice.text for choice in question.choices), strict=True)
            self._console.print(Padding(_table(rows), (0, 2)))
        self._console.print(f"[dim]{HOW[question.kind]}[/dim]")

    def refuse(self, error: NoAnswer) -> None:
        """Say why an answer is none; it costs nothing."""
        self._console.print(f"[yellow]{escape(str(error))}[/yellow]")

    def said(self, question: Asked, answer: Answered) -> None:
        """Say what an answer is worth, and why."""
        mark, colour = ("✓ right", "green") if answer.right else (f"✗ the answer is {question.key}", "red")
        self._console.print(f"[{colour}]{escape(mark)}[/{colour}]")
        chosen = question.kind in (Kind.ONE, Kind.SEVERAL)
        told = question.explained(answer.given, right=answer.right)
        self._console.print(Padding(_table(told if chosen else [("", why) for why in answer.because]), (0, 2)))
        self._console.print(f"  [dim]{escape(question.source)}[/dim]", soft_wrap=True)

    def end(self, result: QuizResult) -> None:
        """Say what it comes to."""
        verdict = "[green]passed[/green]" if result.passed else "[red]not passed[/red]"
        practice = " (practice: the seed was chosen)" if result.practice else ""
        self._console.print(
            f"\n[bold]{result.points}/{result.of}[/bold] {verdict}{practice}  [dim]seed {result.seed}[/dim]"
        )
        missed = sorted({answer.subject for answer in result.answers if not answer.right})
        if missed:
            self._console.print(f"Read again: {', '.join(missed)}")


def answers_to(
    questions: Iterable[tuple[int, Asked]], count: int, screen: QuizScreen, typed: Callable[[], str]
) -> Iterator[tuple[Asked, Answered]]:
    """Put each numbered question until there is an answer to it. `typed` returns a line; what it raises ends the attempt."""
    for number, question in questions:
        screen.ask(number, count, question)
        answer = None
        while answer is None:
            try:
                answer = answered(question, typed())
            except NoAnswer as error:
                screen.refuse(error)
        yield question, answer


def _read(text: str) -> Markdown:
    return Markdown(text, code_theme="ansi_dark", inline_code_theme="ansi_dark")


def _table(rows: Iterable[tuple[str, str]]) -> Table:
    """Texts behind their letters; without a column for these where there are none."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for letter, text in rows:
        table.add_row(*([f"[bold]{letter}[/bold]"] if letter else []), _read(text))
    return table
