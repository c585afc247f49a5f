"""`capstone exam designs`, `review` and `decide`, for who examines."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from grader.commands import work
from grader.exams.standing import Number, Slug, attempt_of, lines

JUDGES = "For who examines"
"""The heading of their commands in the help."""


def designs(slug: Slug, number: Number = 0) -> None:
    """Print a design that was handed in, with its task and what points are given for."""
    from grader.domain.exam import PartKind
    from grader.errors import NotNow
    from grader.exams.sitting import Sitting
    from grader.screen import visible

    attempt = attempt_of(Sitting(work()), slug, number)
    part = attempt.part_of(PartKind.DESIGN)
    if part is None or not part.design:
        raise NotNow(f"attempt {attempt.number} at {slug} has no design")
    task = next(one for one in part.part.tasks if one.id in part.drawn)
    criteria = "\n".join(f"{one.id}: 0  # of {one.points}: {one.title}" for one in part.part.criteria)
    design = "\n".join(map(visible, part.design.split("\n")))
    print(f"{task.text}\n\n{design}\n\n# scores, for `capstone exam review`:\n{criteria}")


def review(
    slug: Slug,
    scores: Annotated[
        Path, typer.Argument(help="A YAML file: the points of each criterion.", exists=True, dir_okay=False)
    ],
    reviewer: Annotated[str, typer.Option(help="Who gives them.")],
    number: Number = 0,
) -> None:
    """Give points to a design. Two people do, each alone; where they lie far apart, a third, and the middle one counts."""
    from grader.errors import LabError
    from grader.exams.sitting import Sitting
    from grader.filled_form import filled_form

    given = {}
    for name, points in filled_form(scores).items():
        try:
            given[name] = float(points)
        except ValueError:
            raise LabError(f'{scores}: {name}: "{points}" is no number') from None
    sitting = Sitting(work())
    sitting.review(attempt_of(sitting, slug, number), reviewer, given)
    print("\n".join(lines(attempt_of(sitting, slug, number), datetime.now(UTC))))


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
    sitting.decide(attempt_of(sitting, slug, number), part, points, by, reason)
    print("\n".join(lines(attempt_of(sitting, slug, number), datetime.now(UTC))))
