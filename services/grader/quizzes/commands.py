"""`capstone quiz`: be asked, and be told at once what was right and why."""

import dataclasses
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grader.commands import AUTHORS, NOT_PASSED, AsJson, work

if TYPE_CHECKING:
    from grader.domain.quiz import Asked, QuizResult

commands = typer.Typer(
    name="quiz", no_args_is_help=True, help="Learn by questions: drawn by a seed, and explained when they are answered."
)

Slug = Annotated[str, typer.Argument(help="The quiz's name, as `capstone quiz list` says it.")]
Seed = Annotated[int | None, typer.Option(min=0, help="The seed of an earlier attempt, to be asked the same again.")]

SEEDS = 10**9


@commands.command("list")
def list_quizzes(as_json: AsJson = False) -> None:
    """List the quizzes, with the largest share that you answered right of each."""
    from grader.progress import Progress
    from grader.quizzes import bank

    best = Progress(work()).best_of_quizzes()
    every = [bank.quiz(slug) for slug in bank.slugs()]
    if as_json:
        listed = [
            {
                "slug": one.slug,
                "title": one.title,
                "level": one.level,
                "questions": len(one.questions),
                "draw": one.draw,
                "pass": one.pass_share,
                "best": best.get(one.slug),
            }
            for one in every
        ]
        print(json.dumps(listed))
        return
    for one in every:
        standing = f"{best[one.slug]:.0%}" if one.slug in best else "-"
        print(f"{one.slug:14} {one.level:13} {one.draw:2} of {len(one.questions):2}  {standing:>5}  {one.title}")


@commands.command()
def take(slug: Slug, seed: Seed = None) -> None:
    """Answer a quiz's questions, a line each. The status is 0 when it is passed, 1 when not. With a seed of yours it is practice."""
    from grader.domain.quiz import QuizResult, drawn
    from grader.progress import Progress
    from grader.quizzes import bank
    from grader.quizzes.taking import QuizScreen, answers_to

    quiz, progress, screen = bank.quiz(slug), Progress(work()), QuizScreen()
    chosen = secrets.randbelow(SEEDS) if seed is None else seed
    questions = drawn(quiz, chosen)
    progress.quiz_begun(quiz, chosen)
    screen.begin(quiz, len(questions))
    answers = []
    try:
        for question, answer in answers_to(enumerate(questions, 1), len(questions), screen, lambda: input("> ")):
            screen.said(question, answer)
            answers.append(answer)
    except (EOFError, KeyboardInterrupt):
        print(f"\nNot answered to its end, and not counted. Seed {chosen}")
        raise typer.Exit(NOT_PASSED) from None
    result = QuizResult(quiz.slug, quiz.version, chosen, tuple(answers), quiz.pass_share, practice=seed is not None)
    progress.quiz_taken(result)
    screen.end(result)
    if not result.passed:
        raise typer.Exit(NOT_PASSED)


@commands.command(rich_help_panel="For who teaches")
def sheet(
    slug: Slug,
    seed: Annotated[int, typer.Option(min=0, help="Which questions, and in which order.")],
    key: Annotated[bool, typer.Option("--key", help="With the right answers, and why.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the questions of an attempt, as Markdown for paper, or as JSON for another program."""
    from grader.domain.quiz import Kind, drawn
    from grader.quizzes import bank

    quiz = bank.quiz(slug)
    questions = drawn(quiz, seed)
    if as_json:
        asked = [_as_document(question, key=key) for question in questions]
        print(json.dumps({"quiz": slug, "version": quiz.version, "seed": seed, "questions": asked}))
        return
    print(f"# {quiz.title}\n\nSeed {seed}, version {quiz.version}")
    for number, question in enumerate(questions, 1):
        print(f"\n## {number}. {question.id}\n\n{question.text}\n")
        listed = question.kind in (Kind.ONE, Kind.SEVERAL)
        for letter, choice in zip(question.letters, question.choices, strict=True) if listed else ():
            print(f"- {letter}) {choice.text}" + (f" — {choice.why}" if key else ""))
        if question.kind is Kind.TRUE_FALSE:
            print("True or false?")
        if key:
            why = "" if listed else f". {question.why or question.choices[0].why}"
            print(f"\nAnswer: {question.key}{why}\n\nSource: {question.source}")


@commands.command(rich_help_panel="For who teaches")
def grade(
    slug: Slug,
    answers: Annotated[
        Path, typer.Argument(help="A YAML file: the id of each question, and its answer.", exists=True, dir_okay=False)
    ],
    seed: Annotated[int, typer.Option(min=0, help="Of the sheet.")],
) -> None:
    """Grade the answers to a sheet, and print the result as JSON. The status is 0 when it is passed, 1 when not."""
    from grader.domain.quiz import NoAnswer, QuizResult, answered, drawn
    from grader.errors import QuizInvalid
    from grader.filled_form import filled_form
    from grader.quizzes import bank

    quiz = bank.quiz(slug)
    questions = drawn(quiz, seed)
    given = filled_form(answers)
    if unknown := sorted(set(given) - {question.id for question in questions}):
        raise QuizInvalid(f"{answers}: the sheet of seed {seed} does not ask {', '.join(unknown)}")
    found = []
    for question in questions:
        if question.id not in given:
            raise QuizInvalid(f"{answers}: no answer to {question.id}")
        try:
            found.append(answered(question, given[question.id]))
        except NoAnswer as error:
            raise QuizInvalid(f"{answers}: {question.id}: {error}") from error
    result = QuizResult(quiz.slug, quiz.version, seed, tuple(found), quiz.pass_share, practice=True)
    print(json.dumps(as_document(result)))
    if not result.passed:
        raise typer.Exit(NOT_PASSED)


@commands.command(rich_help_panel=AUTHORS)
def prove(
    slugs: Annotated[list[str] | None, typer.Argument(help="Quizzes; all when left out.")] = None,
) -> None:
    """Prove the keys of quizzes: each is graded right, every other answer wrong, and the proofs hold with the libraries installed here."""
    from grader.quizzes import bank, proving

    wrong = 0
    for slug in slugs or bank.slugs():
        proof = proving.prove(bank.quiz(slug))
        wrong += len(proof.wrong)
        subjects = ", ".join(f"{subject} {count}" for subject, count in proof.subjects)
        counts = f"{proof.questions:3} questions {proof.variants:3} variants {proof.proofs:3} proofs"
        print(f"{'NO' if proof.wrong else 'ok'}  {slug:14} {counts}  {subjects}", flush=True)
        for line in proof.wrong:
            print(f"    {line}")
    if wrong:
        raise typer.Exit(1)


def as_document(result: "QuizResult") -> dict[str, Any]:
    """A result as JSON has it."""
    return dataclasses.asdict(result) | {"points": result.points, "of": result.of, "passed": result.passed}


def _as_document(question: "Asked", *, key: bool) -> dict[str, Any]:
    choices = dict(zip(question.letters, (choice.text for choice in question.choices), strict=True))
    shown = {"id": question.id, "subject": question.subject, "kind": question.kind, "text": question.text}
    whys = [choice.why for choice in question.choices] or [question.why]
    return shown | {"choices": choices} | ({"key": question.key, "why": whys, "source": question.source} if key else {})
