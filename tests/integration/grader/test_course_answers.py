"""Answers that were published for exercises of the same names get the verdicts that they deserve. They are not kept here.

COURSE_ANSWERS names a folder of them: a folder a lab, in it the files that take the place of the lab's own.
"""

import os
from pathlib import Path

import pytest

from grader.adapters import confining, workspaces
from grader.catalog import Catalog, starting_files
from grader.domain.verdict import Outcome
from grader.grading import grade

ANSWERS = os.environ.get("COURSE_ANSWERS")

POINTS = {
    "async-or-not": 8,
    "first-app": 10,
    "task-patterns": 2,
    "compare-brokers": 4,
    "tune-workers": 2,
    "see-inside": 0,
    "advanced-patterns": 3,
    "canvas-workflow": 3,
}


@pytest.mark.skipif(ANSWERS is None, reason="COURSE_ANSWERS names no folder")
@pytest.mark.parametrize(("slug", "points"), POINTS.items())
def test_a_published_answer_gets_what_it_deserves(slug: str, points: int, tmp_path: Path) -> None:
    catalog = Catalog()
    lab, folder = catalog.lab(slug), catalog.path(slug)
    for files in [*starting_files(folder, lab), Path(str(ANSWERS)) / slug]:
        workspaces.overlay(files, tmp_path / slug)

    result = grade(lab, folder, tmp_path / slug, confining.best(), seed=1)

    said = [f"{verdict.check}: {verdict.outcome}: {verdict.because}" for verdict in result.verdicts]
    assert (points, []) == (result.points, [one for one in said if f": {Outcome.ERROR}: " in one]), said
    assert [] == [one.check for one in result.verdicts if one.outcome is Outcome.FAILED and not one.hint]


def test_every_published_answer_is_for_a_lab() -> None:
    assert set(POINTS) <= set(Catalog().slugs())
