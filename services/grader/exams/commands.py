"""`capstone exam`: take an exam under a clock, review designs, see where attempts stand."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conductor.command_line import as_typed
from grader.author_commands import Runtime, Tag, shown
from grader.commands import NOT_PASSED, UNDECIDED, AsJson, work

if TYPE_CHECKING:
    from grader.domain.exam import Attempt, PartStanding

commands = typer.Typer(
    name="exam", no_args_is_help=True, help="Be examined: questions, labs and a design, each under a clock."
)

JUDGES = "For who examines"
"""The heading of their commands in the help."""

Slug = Annotated[str, typer.Argument(help="The exam's name, as `capstone exam list` says it.")]
Number = Annotated[int, typer.Option("--attempt", min=0, help="Which attempt; the last when left out.")]

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
    until = attempt.ends.isoformat(timespec="minutes")
    print(
        f"{exam.title}: attempt {attempt.number} of {exam.most_attempts}, over at {until}, {exam.pass_share:.0%} to pass"
    )
    how = {PartKind.QUESTIONS: "questions", PartKind.LABS: "labs", PartKind.DESIGN: "design"}
    for part in exam.parts:
        print(as_typed(f"  {part.title}: {part.points} points, {part.minutes} min: `capstone exam {how[part.kind]}`"))


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
    print(f"{part.part.title}: {len(left)} of {len(every)} to answer, until {_clock(part)}")
    try:
        for question, answer in answers_to(left, len(every), QuizScreen(), lambda: input("> ")):
            sitting.answer(attempt, part, question, answer)
    except (EOFError, KeyboardInterrupt):
        print(as_typed(f"\nWhat you answered is kept. `capstone exam questions` goes on, until {_clock(part)}"))
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
    print(f"{part.part.title}: until {_clock(part)}\n")
    for slug in part.drawn:
        lab, workspace = catalog.lab(slug), _folder(attempt) / slug
        if not workspace.exists():
            workspaces.start(starting_files(catalog.path(slug), lab), catalog.path(slug) / "README.md", workspace)
        print(f"{lab.title}: {shown(workspace)}, begin with its README.md")
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
    from grader.domain.exam import MOST_GRADINGS, PartKind
    from grader.exams.sitting import Sitting
    from grader.grading import grade
    from grader.screen import Screen

    sitting, catalog, screen = Sitting(work()), Catalog(), Screen()
    attempt = sitting.running()
    sitting.unchanged(attempt)
    part = sitting.opened(attempt, PartKind.LABS)
    sitting.may_be_graded(attempt, part, lab)
    asked, handed_in = catalog.lab(lab), datetime.now(UTC)
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
        print("This uses none of the gradings.")
        raise typer.Exit(UNDECIDED)
    sitting.graded(attempt, part, result, handed_in)
    used = len(part.gradings.get(lab, ())) + 1
    print(f"Grading {used} of {MOST_GRADINGS}; the part ends at {_clock(part)}")
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
    part = sitting.opened(attempt, PartKind.DESIGN)
    path = _folder(attempt) / DESIGN
    if hand_in:
        if not path.is_file():
            raise WorkspaceError(f"{path} is not there: `capstone exam design` makes it")
        sitting.hand_in(attempt, part, path.read_text(errors="replace"))
        print(f"It is handed in, and may be handed in again until {_clock(part)}")
        return
    task = next(one for one in part.part.tasks if one.id in part.drawn)
    if not path.exists():
        headings = "".join(f"## {heading}\n\n" for heading in part.part.headings)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {task.title}\n\n{headings}")
    print(f"{task.title}, until {_clock(part)}\n\n{task.text}\n\nReviewers give points for:")
    for criterion in part.part.criteria:
        print(f"  {criterion.points}  {criterion.title}")
    print(as_typed(f"\nWrite {shown(path)}; `capstone exam design --hand-in` hands it in"))


@commands.command()
def close(part: Annotated[str, typer.Argument(help="The id of the part, as `capstone exam status` says it.")]) -> None:
    """End a part before its time."""
    from grader.errors import NotNow
    from grader.exams.sitting import Sitting

    sitting = Sitting(work())
    attempt = sitting.running()
    standing = attempt.parts.get(part)
    if standing is None or not attempt.open_at(datetime.now(UTC), standing):
        raise NotNow(f'"{part}" is no part that can be ended: {", ".join(attempt.parts)}')
    sitting.close(attempt, standing)
    print(f"{standing.part.title} is ended")


@commands.command()
def status(slug: Slug, number: Number = 0, as_json: AsJson = False) -> None:
    """Say where an attempt stands. The points of a part are said when it has ended."""
    from grader.exams.sitting import Sitting

    attempt, now = _attempt(Sitting(work()), slug, number), datetime.now(UTC)
    if as_json:
        print(json.dumps(as_document(attempt, now)))
        return
    print(
        f"{attempt.exam.title}, attempt {attempt.number}: {attempt.state_at(now)}"
        + (f", {attempt.invalid}" if attempt.invalid else "")
    )
    for name, part in attempt.parts.items():
        print(f"  {name:12} {_said(attempt, part, now)}")
    if attempt.state_at(now) not in ("running", "in review"):
        print(
            f"  {attempt.points:g} of {attempt.exam.points} points, {attempt.share:.0%}, {attempt.exam.pass_share:.0%} to pass"
        )


@commands.command(rich_help_panel=JUDGES)
def designs(slug: Slug, number: Number = 0) -> None:
    """Print a design that was handed in, with its task and what points are given for."""
    from grader.domain.exam import PartKind
    from grader.errors import NotNow
    from grader.exams.sitting import Sitting

    attempt = _attempt(Sitting(work()), slug, number)
    for part in attempt.parts.values():
        if part.part.kind is PartKind.DESIGN and part.design:
            task = next(one for one in part.part.tasks if one.id in part.drawn)
            criteria = "\n".join(f"{one.id}: 0  # of {one.points}: {one.title}" for one in part.part.criteria)
            print(f"{task.text}\n\n{part.design}\n\n# scores, for `capstone exam review`:\n{criteria}")
            return
    raise NotNow(f"attempt {attempt.number} at {slug} has no design")


@commands.command(rich_help_panel=JUDGES)
def review(
    slug: Slug,
    scores: Annotated[Path, typer.Argument(help="A YAML file: the points of each criterion.", exists=True)],
    reviewer: Annotated[str, typer.Option(help="Who gives them.")],
    number: Number = 0,
) -> None:
    """Give points to a design. Two people do, each alone; where they lie far apart, a third, and the middle one counts."""
    import yaml

    from grader.errors import LabError
    from grader.exams.sitting import Sitting

    try:
        read = yaml.safe_load(scores.read_bytes())
        given = {str(name): float(points) for name, points in read.items()}
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise LabError(f"{scores}: not a map of criteria and points: {' '.join(str(error).split())[:200]}") from error
    sitting = Sitting(work())
    sitting.review(_attempt(sitting, slug, number), reviewer, given)
    status(slug, number)


@commands.command(rich_help_panel=JUDGES)
def decide(
    slug: Slug,
    part: Annotated[str, typer.Option(help="The id of the part.")],
    points: Annotated[float, typer.Option(help="What it is worth from now on.")],
    by: Annotated[str, typer.Option(help="Who decides.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    number: Number = 0,
) -> None:
    """Set the points of a part, whatever was earned. What was earned, who decided and why stays in the gradebook."""
    from grader.exams.sitting import Sitting

    sitting = Sitting(work())
    sitting.decide(_attempt(sitting, slug, number), part, points, by, reason)
    status(slug, number)


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
            "drawn": list(part.drawn),
        }
        for name, part in attempt.parts.items()
    }
    state = attempt.state_at(now)
    done = state not in ("running", "in review")
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


def _attempt(sitting: Any, slug: str, number: int) -> "Attempt":
    from grader.errors import NotNow
    from grader.exams import papers

    every: list[Attempt] = sitting.attempts(papers.exam(slug))
    if not every or number > len(every):
        raise NotNow(f"there is no attempt {number or 1} at {slug}: there were {len(every)}")
    return every[number - 1]


def _said(attempt: "Attempt", part: "PartStanding", now: datetime) -> str:
    if attempt.open_at(now, part):
        return f"{part.part.title}: " + ("not opened" if part.begun is None else f"open until {_clock(part)}")
    if part.awaits_review:
        return f"{part.part.title}: {len(part.reviews)} reviews, more are needed"
    decided = " (decided by an examiner)" if part.decided is not None else ""
    return f"{part.part.title}: {part.points:g} of {part.part.points} points{decided}"


def _clock(part: "PartStanding") -> str:
    return "" if part.deadline is None else f"{part.deadline.isoformat(timespec='seconds')}"


def _folder(attempt: "Attempt") -> Path:
    return work() / f"exam-{attempt.exam.slug}-{attempt.number}"
