"""What is wrong with the file of an exam is named, and what a seed draws of it."""

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from grader.catalog import Catalog
from grader.domain.exam import PartKind
from grader.errors import ExamInvalid, UnknownExam
from grader.exams import papers
from grader.exams.designs import lacks

SECTION = {"title": "All", "draw": 2, "quizzes": ["module-01"]}
QUESTIONS = {"id": "knowledge", "title": "K", "kind": "questions", "minutes": 5, "points": 4, "sections": [SECTION]}
LABS = {"id": "practice", "title": "P", "kind": "labs", "minutes": 5, "points": 4, "labs": [["poison", "hoarder"]]}
DESIGN = {
    "id": "design",
    "title": "D",
    "kind": "design",
    "minutes": 5,
    "points": 4,
    "headings": ["Overview", "Diagram"],
    "tasks": [{"id": "shop", "title": "Shop", "text": "A shop."}],
    "criteria": [{"id": "drawn", "title": "Drawn", "points": 4}],
}


def written(folder: Path, *parts: dict[str, Any], **other: Any) -> Path:
    exam = {"title": "Some", "pass_percent": 80, "attempts": 1, "cool_off_hours": 1, "days": 1, "parts": list(parts)}
    exam |= {"certificates": [{"title": "Some", "from_percent": 80}], **other}
    (folder / "some.yaml").write_text(yaml.safe_dump(exam))
    return folder


def test_an_exam_is_read_as_it_is_written(tmp_path: Path) -> None:
    exam = papers.exam("some", written(tmp_path, QUESTIONS, LABS, DESIGN))

    assert (12, 0.8, ["knowledge", "practice", "design"]) == (
        exam.points,
        exam.pass_share,
        [part.id for part in exam.parts],
    )


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([QUESTIONS | {"sections": []}], '"knowledge": a part of the kind questions needs sections'),
        ([LABS | {"sections": [SECTION]}], '"practice": a part of the kind labs has no sections'),
        ([DESIGN | {"headings": []}], '"design": a part of the kind design needs headings'),
        ([DESIGN | {"points": 5}], '"design": the criteria add up to 4 points, the part has 5'),
        ([LABS | {"minutes": 0}], "parts.0.minutes: .* not 0"),
        ([LABS | {"kind": "essay"}], "parts.0.kind: .* not 'essay'"),
        ([LABS, LABS], 'id "practice" is used by two parts'),
        ([LABS, LABS | {"id": "more"}], "parts: there is more than one of a kind: labs, labs"),
        ([LABS | {"labs": [[]]}], "labs: a group without a lab"),
        ([], "parts: "),
    ],
)
def test_an_exam_that_cannot_be_taken_is_named(tmp_path: Path, parts: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ExamInvalid, match=f"some.yaml: .*{said}"):
        papers.exam("some", written(tmp_path, *parts))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"draw": 99}, 'section "All": 99 of \\d+ questions cannot be drawn'),
        ({"quizzes": ["other"]}, 'section "All": there is no quiz "other"'),
        ({"subjects": ["cooking"]}, 'section "All": 2 of 0 questions'),
    ],
)
def test_what_cannot_be_drawn_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    exam = papers.exam("some", written(tmp_path, QUESTIONS | {"sections": [SECTION | change]}))

    with pytest.raises(ExamInvalid, match=said):
        papers.draw(exam, 1, Catalog(), ())


def test_a_lab_whose_solution_was_seen_is_not_drawn(tmp_path: Path) -> None:
    exam = papers.exam("some", written(tmp_path, LABS))

    drawn = [papers.draw(exam, seed, Catalog(), {"poison"}).names["practice"] for seed in range(10)]

    assert [("hoarder",)] * 10 == drawn
    with pytest.raises(ExamInvalid, match="the solutions of poison, hoarder were all shown"):
        papers.draw(exam, 1, Catalog(), {"poison", "hoarder"})


def test_a_design_is_looked_at_for_what_needs_no_understanding() -> None:
    words = "word " * 40
    headings = ("Overview", "Diagram")

    assert [] == lacks(f"# Shop\n\n## Overview\n\n{words}\n\n## Diagram\n\n```mermaid\na\nb\nc\n```\n", headings)
    assert ['the heading "## Overview" is missing', 'the heading "## Diagram" is missing'] == lacks("none", headings)
    assert ["1 words", "is no block"] == [
        next(said for said in ("1 words", "is no block") if said in line)
        for line in lacks("## Overview\nword\n## Diagram\n```\na\n```\n", headings)
    ]
    assert [] == lacks(f"## Overview\n{words}\n## Diagram\n```\na\nb\nc\n```\n## Overview\nmore\n", headings)
    assert ["it is longer than 256 KiB"] == lacks("x" * 300_000, headings)


def test_an_exam_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownExam, match='there is no exam "other"'):
        papers.exam("other", written(tmp_path, LABS))


def test_a_file_that_an_editor_left_is_no_exam(tmp_path: Path) -> None:
    (written(tmp_path, LABS) / ".#some.yaml").write_text("")
    (tmp_path / "some (copy).yaml").write_text("")

    assert ["some"] == papers.slugs(tmp_path)


@pytest.mark.parametrize("slug", sorted(path.stem for path in papers.EXAMS.glob("*.yaml")))
def test_an_exam_of_ours_draws_what_it_says_from_enough(slug: str) -> None:
    exam, catalog = papers.exam(slug), Catalog()
    drawn = [papers.draw(exam, seed, catalog, ()) for seed in range(20)]

    for part in exam.parts:
        if part.kind is PartKind.QUESTIONS:
            wanted = sum(section.draw for section in part.sections)
            asked = [papers.questions(exam, part, seed) for seed in range(20)]
            assert {wanted} == {len(questions) for questions in asked} == {one.asked[part.id] for one in drawn}
            # An attempt has little in common with the one before.
            common = [
                len({one.id for one in before} & {one.id for one in after})
                for before, after in itertools.pairwise(asked)
            ]
            assert sum(common) / len(common) <= 0.7 * wanted
            assert max(Counter(one.id for one in asked[0]).values()) == 1
        else:
            assert len({one.names[part.id] for one in drawn}) >= 3
    for certified in exam.certificates:
        assert certified.from_share >= exam.pass_share
        assert all(catalog.lab(lab) for lab in certified.labs)
