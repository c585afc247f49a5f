"""`capstone lab`: start a lab, have it checked, read hints and the solution."""

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conductor.command_line import as_typed
from conductor.run_directory import CHECKOUT
from grader import author_commands
from grader.author_commands import Runtime, Slug, Tag, shown

if TYPE_CHECKING:
    from grader.domain.lab import Lab
    from grader.domain.verdict import Result

commands = typer.Typer(
    name="lab", no_args_is_help=True, help="Learn by labs: your code, run and judged by what it does."
)

WORK = "CAPSTONE_LABS_DIR"
"""The environment variable that names another folder than labs-work/ for workspaces and the gradebook."""

AUTHORS = "For who writes labs"
"""The heading of their commands in the help."""

NOT_PASSED, UNDECIDED = 1, 3
"""Exit statuses of `check`: the lab is not passed; the grader failed at some check."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def work() -> Path:
    """Where workspaces and the gradebook lie."""
    return Path(os.environ.get(WORK) or CHECKOUT / "labs-work").absolute()


@commands.command("list")
def list_labs(as_json: AsJson = False) -> None:
    """List the labs, in the order to take them, with what you have of each."""
    from grader.catalog import Catalog
    from grader.progress import Progress

    catalog, best = Catalog(), Progress(work()).best()
    labs = [catalog.lab(slug) for slug in catalog.slugs()]
    if as_json:
        print(json.dumps([_listed(lab) | {"best": best.get(lab.slug)} for lab in labs]))
        return
    for lab in labs:
        standing = f"{best.get(lab.slug, '-')}/{lab.points}"
        print(f"{lab.slug:22} {lab.level:13} {lab.minutes:3} min  {standing:>6}  {lab.title}")


@commands.command()
def start(slug: Slug, as_json: AsJson = False) -> None:
    """Make a workspace with the lab's starting files, and say what to do."""
    from grader.adapters import workspaces
    from grader.adapters.rabbitmq import absent
    from grader.catalog import Catalog, starting_files
    from grader.progress import Progress

    catalog, workspace = Catalog(), work() / slug
    lab, folder = catalog.lab(slug), catalog.folder / slug
    workspaces.start(starting_files(folder, lab), folder / "README.md", workspace)
    Progress(work()).note("started", lab)
    if as_json:
        print(json.dumps(_listed(lab) | {"workspace": str(workspace)}))
        return
    print((workspace / "README.md").read_text())
    hidden = f", {lab.hidden} of them hidden" if lab.hidden else ""
    print(f"{len(lab.checks)} checks{hidden}. Your files are in {shown(workspace)}")
    for left_out in lab.skipped(absent()):
        print(f"Skipped on this machine, which has no {', '.join(left_out.servers)}: {left_out.title}")
    print(as_typed(f"To have them checked: `capstone lab check {slug}`"))


@commands.command()
def check(
    slug: Slug,
    as_json: AsJson = False,
    seed: Annotated[
        int | None, typer.Option(help="The seed of an earlier check, to get the same inputs again.")
    ] = None,
    watch: Annotated[bool, typer.Option(help="Check again whenever a file of the workspace changes.")] = False,
    runtime: Runtime = "local",
    tag: Tag = "dev",
) -> None:
    """Run the lab's checks on your files. The status is 0 when the lab is passed, 1 when not, 3 when the grader failed at a check."""
    from grader import boxes
    from grader.adapters import box
    from grader.catalog import Catalog
    from grader.grading import grade
    from grader.progress import Progress
    from grader.screen import Screen
    from grader.watching import wait_for_change

    catalog, progress, screen = Catalog(), Progress(work()), Screen(quiet=as_json)
    lab = catalog.lab(slug)
    make = boxes.chosen([lab], runtime, tag)
    while True:
        around = make()
        screen.begin(lab, box.sentence(box.around(lab, around)))
        result = grade(
            lab,
            catalog.folder / slug,
            work() / slug,
            around,
            seed=seed,
            practice=progress.solution_shown(slug),
            starting=screen.starting,
            said=screen.said,
        )
        progress.graded(result)
        screen.end(result)
        if as_json:
            print(json.dumps(as_document(result)), flush=True)
        if not watch:
            break
        wait_for_change(work() / slug)
    if result.undecided:
        raise typer.Exit(UNDECIDED)
    if not result.passed:
        raise typer.Exit(NOT_PASSED)


@commands.command()
def hint(slug: Slug, as_json: AsJson = False) -> None:
    """Give the hint for the first check of the last grading that did not pass; the next one when it is asked again."""
    from grader.catalog import Catalog
    from grader.progress import Progress

    lab = Catalog().lab(slug)
    given = Progress(work()).next_hint(lab)
    if as_json:
        print(json.dumps(given))
    elif given is None:
        print(
            as_typed(
                f"There is no hint to give: a hint belongs to a check that failed. `capstone lab check {slug}` looks again."
            )
        )
    else:
        print(f"{given['title']}: {given['because']}\n\n{given['hint']}")


@commands.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what this machine can do for labs, and why not. The status is 1 when labs cannot be checked here at all."""
    from grader.doctor import examined

    findings = examined(work())
    if as_json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            print(f"{'ok' if finding.fine else 'NO' if finding.needed else '--'}  {finding.what}: {finding.said}")
    if any(finding.needed and not finding.fine for finding in findings):
        raise typer.Exit(1)


@commands.command()
def reset(
    slug: Slug,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put the workspace back to the start. Your files are moved aside, not removed."""
    from grader.adapters import workspaces
    from grader.catalog import Catalog, starting_files
    from grader.progress import Progress

    catalog, workspace = Catalog(), work() / slug
    lab, folder = catalog.lab(slug), catalog.folder / slug
    if not yes and workspace.exists():
        typer.confirm(f"Put {shown(workspace)} back to the start?", abort=True)
    kept = workspaces.reset(starting_files(folder, lab), folder / "README.md", workspace)
    Progress(work()).note("reset", lab)
    if as_json:
        print(json.dumps({"workspace": str(workspace), "kept": None if kept is None else str(kept)}))
    else:
        print(f"{shown(workspace)} is as at the start." + (f" What was there is in {shown(kept)}" if kept else ""))


@commands.command()
def solution(
    slug: Slug,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the model answer. From then on every check of this lab is practice, and counts for nothing."""
    from grader.catalog import MODEL, Catalog
    from grader.progress import Progress

    catalog = Catalog()
    lab = catalog.lab(slug)
    if not yes:
        typer.confirm("From then on this lab is practice and counts for nothing. Show the solution?", abort=True)
    Progress(work()).note("solution", lab)
    model = catalog.folder / slug / "answers" / MODEL
    files = {str(path.relative_to(model)): path.read_text() for path in sorted(model.rglob("*")) if path.is_file()}
    if as_json:
        print(json.dumps(files))
        return
    for name, text in files.items():
        print(f"--- {name}\n{text}")


def as_document(result: "Result") -> dict[str, Any]:
    """A result as JSON has it."""
    totals = {"points": result.points, "of": result.of, "passed": result.passed, "undecided": result.undecided}
    return dataclasses.asdict(result) | totals | {"may_count": result.may_count}


def _listed(lab: "Lab") -> dict[str, Any]:
    return {
        "slug": lab.slug,
        "title": lab.title,
        "level": lab.level,
        "minutes": lab.minutes,
        "points": lab.points,
        "needs": list(lab.needs),
        "checks": len(lab.checks),
        "hidden": lab.hidden,
    }


for one in (author_commands.new, author_commands.kinds, author_commands.prove, author_commands.repeat):
    commands.command(rich_help_panel=AUTHORS)(one)
