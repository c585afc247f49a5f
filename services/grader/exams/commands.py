"""`capstone exam`: take an exam under a clock, review designs, see where attempts stand."""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.command_line import as_typed
from grader.author_commands import Runtime, Tag, shown
from grader.commands import NOT_PASSED, UNDECIDED, AsJson, work
from grader.exams import examiner_commands
from grader.exams.standing import Number, Slug, as_document, attempt_of, clock, lines, local

if TYPE_CHECKING:
    from grader.domain.attempt import Attempt

commands = typer.Typer(
    name="exam", no_args_is_help=True, help="Be examined: questions, labs and a design, each under a clock."
)

DESIGN = "design.md"


@commands.command("list")
def list_exams(as_json: AsJson = False) -> None:
    """List the exams, with where your last attempt at each stands."""
    from grader.exams import papers
    from grader.exams.sitting import Sitting

    sitting, now = Sitting(work()), datetime.now(UTC)
    every = [papers.exam(slug) for slug in papers.slugs()]
    last = {exam.slug: next(reversed(sitting.attempts(exam)), None) for exam in every}
    if as_json:
        listed = [
            {"slug": exam.slug, "title": exam.title, "points": exam.points, "pass": exam.pass_share}
            | {"last": None if (one := last[exam.slug]) is None else as_document(one, now)}
            for exam in every
        ]
        print(json.dumps(listed))
        return
    for exam in every:
        minutes = sum(part.minutes for part in exam.parts)
        one = last[exam.slug]
        standing = "-" if one is None else str(one.state_at(now))
        print(
            f"{exam.slug:14} {exam.points:3} points  {minutes:3} min  {exam.pass_share:.0%} to pass  {standing:14} {exam.title}"
        )


@commands.command()
def start(slug: Slug) -> None:
    """Begin an attempt: what it asks is drawn now. The clock of each part starts when you open that part."""
    from grader.adapters import box, confining
    from grader.domain.exam import PartKind
    from grader.errors import NotNow
    from grader.exams import papers
    from grader.exams.sitting import Sitting

    exam = papers.exam(slug)
    if any(part.kind is PartKind.LABS for part in exam.parts) and (why := box.sentence(confining.best())):
        raise NotNow(why)
    attempt = Sitting(work()).begin(exam)
    until = local(attempt.ends)
    print(
        f"{exam.title}: attempt {attempt.number} of {exam.most_attempts}, over at {until}, {exam.pass_share:.0%} to pass"
    )
    for part in exam.parts:
        least = f", at least {part.least_share:.0%} of them" if part.least_share else ""
        print(as_typed(f"  {part.title}: {part.points} points{least}, {part.minutes} min: `capstone exam {part.kind}`"))


@commands.command()
def questions() -> None:
    """Answer the questions. What is answered is kept at once; the same command goes on after an interruption, and the clock runs on."""
    from grader.domain.exam import PartKind
    from grader.exams import papers
    from grader.exams.sitting import Sitting
    from grader.quizzes.taking import QuizScreen, answers_to

    sitting = Sitting(work())
    attempt = sitting.running()
    sitting.unchanged(attempt)
    part = sitting.opened(attempt, PartKind.QUESTIONS)
    every = papers.questions(attempt.exam, part.part, attempt.seed)
    left = [(number, one) for number, one in enumerate(every, 1) if one.id not in part.answers]
    print(f"{part.part.title}: {len(left)} of {len(every)} to answer, until {clock(part)}")
    try:
        for question, answer in answers_to(left, len(every), QuizScreen(), lambda: input("> ")):
            sitting.answer(attempt, part, question, answer)
    except (EOFError, KeyboardInterrupt):
        print(as_typed(f"\nWhat you answered is kept. `capstone exam questions` goes on, until {clock(part)}"))
        raise typer.Exit(NOT_PASSED) from None
    sitting.close(attempt, part)
    print(f"\n{part.part.title}: every question is answered")


@commands.command()
def labs() -> None:
    """Open the labs: their workspaces are made, and the clock of the part starts."""
    from grader.adapters import workspaces
    from grader.catalog import Catalog, starting_files
    from grader.domain.exam import PartKind
    from grader.exams.sitting import Sitting

    sitting, catalog = Sitting(work()), Catalog()
    attempt = sitting.running()
    sitting.unchanged(attempt)
    part = sitting.opened(attempt, PartKind.LABS)
    print(f"{part.part.title}: until {clock(part)}\n")
    for slug in part.drawn:
        lab, workspace = catalog.lab(slug), _folder(attempt) / slug
        if not workspace.exists():
            workspaces.start(starting_files(catalog.path(slug), lab), catalog.path(slug) / "README.md", workspace)
        print(f"{lab.title}: {shown(workspace)}, begin with its README.md")
        if slug in sitting.solutions_shown():
            print("  its solution was shown: it cannot be handed in")
        else:
            print(as_typed(f"  `capstone exam check {slug}` hands it in"))


@commands.command()
def check(
    lab: Annotated[str, typer.Argument(help="One of the labs that are asked.")],
    runtime: Runtime = "local",
    tag: Tag = "dev",
) -> None:
    """Hand in a lab; the best grading counts. The status is 0 when it is passed, 1 when not, 3 when the grader failed at a check."""
    from dataclasses import replace

    from grader import boxes
    from grader.catalog import Catalog
    from grader.domain.attempt import MOST_GRADINGS
    from grader.domain.exam import PartKind
    from grader.errors import NotNow
    from grader.exams.sitting import Sitting
    from grader.grading import grade
    from grader.screen import Screen

    sitting, catalog, screen = Sitting(work()), Catalog(), Screen()
    attempt = sitting.running()
    sitting.unchanged(attempt)
    part = sitting.opened(attempt, PartKind.LABS, open_it=False)
    used = sitting.hand_in_lab(attempt, part, lab)
    asked = catalog.lab(lab)
    box = boxes.chosen([asked], runtime, tag)()
    screen.begin(asked, "")
    result = grade(
        asked,
        catalog.path(lab),
        _folder(attempt) / lab,
        box,
        starting=screen.starting,
        said=lambda verdict: screen.said(replace(verdict, hint="")),
    )
    screen.end(replace(result, verdicts=[replace(one, hint="") for one in result.verdicts]))
    if result.undecided:
        with contextlib.suppress(NotNow):  # says that it does not count
            sitting.graded(attempt, part, result)
        print("This uses none of the gradings.")
        raise typer.Exit(UNDECIDED)
    sitting.graded(attempt, part, result)
    print(f"Grading {used} of {MOST_GRADINGS}; the part ends at {clock(part)}")
    if not result.passed:
        raise typer.Exit(NOT_PASSED)


@commands.command()
def design(
    hand_in: Annotated[
        bool, typer.Option("--hand-in", help="Hand in design.md as it is; again until the time is over.")
    ] = False,
) -> None:
    """Open the design: the task and a file with its headings are made, and the clock of the part starts."""
    from grader.domain.exam import PartKind
    from grader.errors import WorkspaceError
    from grader.exams.sitting import Sitting

    sitting = Sitting(work())
    attempt = sitting.running()
    sitting.unchanged(attempt)
    part = sitting.opened(attempt, PartKind.DESIGN, open_it=not hand_in)
    path = _folder(attempt) / DESIGN
    if hand_in:
        if not path.is_file():
            raise WorkspaceError(f"{path} is not there: `capstone exam design` makes it")
        sitting.hand_in(attempt, part, path.read_text(errors="replace"))
        print(f"It is handed in, and may be handed in again until {clock(part)}")
        return
    task = next(one for one in part.part.tasks if one.id in part.drawn)
    if not path.exists():
        headings = "".join(f"## {heading}\n\n" for heading in part.part.headings)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {task.title}\n\n{headings}")
    print(f"{task.title}, until {clock(part)}\n\n{task.text}\n\nReviewers give points for:")
    for criterion in part.part.criteria:
        print(f"  {criterion.points}  {criterion.title}")
    print(as_typed(f"\nWrite {shown(path)}; `capstone exam design --hand-in` hands it in"))


@commands.command()
def close(
    part: Annotated[str, typer.Argument(help="The id of the part, as `capstone exam status` says it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """End a part before its time."""
    from grader.domain.exam import PartKind
    from grader.errors import NotNow
    from grader.exams.sitting import Sitting

    sitting = Sitting(work())
    attempt = sitting.running()
    standing = attempt.parts.get(part)
    if standing is None or not attempt.open_at(datetime.now(UTC), standing):
        raise NotNow(f'"{part}" is no part that can be ended: {", ".join(attempt.parts)}')
    if not yes:
        nothing = standing.part.kind is PartKind.DESIGN and not standing.design
        lost = "Nothing was handed in for it, so that it is worth nothing. " if nothing else ""
        typer.confirm(f"{lost}Nothing can be done for it afterwards. End {standing.part.title}?", abort=True)
    sitting.close(attempt, standing)
    print(f"{standing.part.title} is ended")


@commands.command()
def status(slug: Slug, number: Number = 0, as_json: AsJson = False) -> None:
    """Say where an attempt stands. The points of a part are said when it has ended."""
    from grader.exams.sitting import Sitting

    attempt, now = attempt_of(Sitting(work()), slug, number), datetime.now(UTC)
    if as_json:
        print(json.dumps(as_document(attempt, now)))
    else:
        print("\n".join(lines(attempt, now)))


def _folder(attempt: "Attempt") -> Path:
    return work() / f"exam-{attempt.exam.slug}-{attempt.number}"


for one in (examiner_commands.designs, examiner_commands.review, examiner_commands.decide):
    commands.command(rich_help_panel=examiner_commands.JUDGES)(one)
