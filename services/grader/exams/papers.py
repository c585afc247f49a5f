"""Reads exams from labs/exams/, one YAML file each, and draws an attempt's questions, labs and design by a seed.

Whatever is wrong with a file is refused with file, key and value.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random

import yaml
from pydantic import Field, ValidationError

from grader.catalog import LABS, SLUG, Catalog, file_of, first_of, slugs_of
from grader.checks import Strict
from grader.domain.exam import Certified, Criterion, Exam, Part, PartKind, Section, Task
from grader.domain.lab import twice
from grader.domain.quiz import Asked, Question, asked
from grader.errors import ExamInvalid, UnknownExam, UnknownQuiz
from grader.quizzes import bank

EXAMS = LABS / "exams"


class _Section(Strict):
    title: str = Field(min_length=1)
    draw: int = Field(gt=0)
    quizzes: tuple[str, ...] = Field(min_length=1)
    subjects: tuple[str, ...] = Field(default=bank.SUBJECTS, min_length=1)


class _Criterion(Strict):
    id: str = Field(pattern=SLUG.pattern)
    title: str = Field(min_length=1)
    points: int = Field(gt=0)


class _Task(Strict):
    id: str = Field(pattern=SLUG.pattern)
    title: str = Field(min_length=1)
    text: str = Field(min_length=1)


class _Part(Strict):
    id: str = Field(pattern=SLUG.pattern)
    title: str = Field(min_length=1)
    kind: PartKind
    minutes: int = Field(gt=0)
    points: int = Field(gt=0)
    least_percent: int = Field(default=0, ge=0, le=100)
    sections: tuple[_Section, ...] = ()
    labs: tuple[tuple[str, ...], ...] = ()
    tasks: tuple[_Task, ...] = ()
    criteria: tuple[_Criterion, ...] = ()
    headings: tuple[str, ...] = ()


class _Certified(Strict):
    title: str = Field(min_length=1)
    from_percent: int = Field(gt=0, le=100)
    labs: tuple[str, ...] = ()


class _Exam(Strict):
    title: str = Field(min_length=1)
    pass_percent: int = Field(gt=0, le=100)
    attempts: int = Field(gt=0)
    cool_off_hours: float = Field(ge=0, le=24 * 365)
    days: float = Field(gt=0, le=365)
    parts: tuple[_Part, ...] = Field(min_length=1)
    certificates: tuple[_Certified, ...] = Field(min_length=1)


NEEDS = {
    PartKind.QUESTIONS: ("sections",),
    PartKind.LABS: ("labs",),
    PartKind.DESIGN: ("tasks", "criteria", "headings"),
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a seed draws of an exam: by part the names of its labs or design, how many questions it asks, and the versions of all files."""

    names: dict[str, tuple[str, ...]]
    asked: dict[str, int]
    versions: dict[str, str]


def slugs(folder: Path = EXAMS) -> list[str]:
    """The exams of a folder, the shortest first."""
    found = [exam(slug, folder) for slug in slugs_of(folder)]
    return [one.slug for one in sorted(found, key=lambda one: (sum(part.minutes for part in one.parts), one.slug))]


def exam(slug: str, folder: Path = EXAMS) -> Exam:
    """One of them. Raises UnknownExam and ExamInvalid."""
    path = file_of(folder, slug)
    if path is None:
        raise UnknownExam(f'there is no exam "{slug}": `capstone exam list` names those there are')
    text = path.read_bytes()
    try:
        read = _Exam.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ExamInvalid(f"{path}: no YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise ExamInvalid(f"{path}: {first_of(error, shown=repr)}") from error
    if (name := twice([part.id for part in read.parts])) is not None:
        raise ExamInvalid(f'{path}: id "{name}" is used by two parts')
    kinds = [part.kind for part in read.parts]
    if twice(kinds) is not None:
        raise ExamInvalid(f"{path}: parts: there is more than one of a kind: {', '.join(kinds)}")
    if not all(group for part in read.parts for group in part.labs):
        raise ExamInvalid(f"{path}: labs: a group without a lab")
    return Exam(
        slug=slug,
        title=read.title,
        pass_share=read.pass_percent / 100,
        most_attempts=read.attempts,
        cool_off=timedelta(hours=read.cool_off_hours),
        lasts=timedelta(days=read.days),
        parts=tuple(_part(path, part) for part in read.parts),
        certificates=tuple(Certified(one.title, one.from_percent / 100, one.labs) for one in read.certificates),
        version=hashlib.sha256(text).hexdigest()[:12],
    )


def _part(path: Path, read: _Part) -> Part:
    for kind, keys in NEEDS.items():
        for key in keys:
            if bool(getattr(read, key)) != (kind is read.kind):
                said = "needs" if kind is read.kind else "has no"
                raise ExamInvalid(f'{path}: part "{read.id}": a part of the kind {read.kind} {said} {key}')
    if read.criteria and (total := sum(one.points for one in read.criteria)) != read.points:
        raise ExamInvalid(
            f'{path}: part "{read.id}": the criteria add up to {total} points, the part has {read.points}'
        )
    return Part(
        id=read.id,
        title=read.title,
        kind=read.kind,
        minutes=read.minutes,
        points=read.points,
        least_share=read.least_percent / 100,
        sections=tuple(Section(one.title, one.draw, one.quizzes, one.subjects) for one in read.sections),
        labs=read.labs,
        tasks=tuple(Task(one.id, one.title, one.text.strip()) for one in read.tasks),
        criteria=tuple(Criterion(one.id, one.title, one.points) for one in read.criteria),
        headings=read.headings,
    )


def draw(paper: Exam, seed: int, catalog: Catalog, seen: Collection[str]) -> Drawn:
    """What this seed draws; of labs none whose solution was `seen`. Raises ExamInvalid when there is not enough to draw from."""
    drawn = Drawn({}, {}, {f"exams/{paper.slug}": paper.version})
    for part in paper.parts:
        random = Random(f"{paper.slug}:{seed}:{part.id}")
        if part.kind is PartKind.QUESTIONS:
            drawn.asked[part.id] = len(questions(paper, part, seed))
            quizzes = {slug for section in part.sections for slug in section.quizzes}
            drawn.versions.update((f"quizzes/{slug}", bank.quiz(slug).version) for slug in sorted(quizzes))
        elif part.kind is PartKind.LABS:
            drawn.names[part.id] = tuple(_one_lab(paper, group, random, seen) for group in part.labs)
            drawn.versions.update((f"labs/{lab}", catalog.lab(lab).version) for lab in drawn.names[part.id])
        else:
            drawn.names[part.id] = (random.choice(part.tasks).id,)
    return drawn


def questions(paper: Exam, part: Part, seed: int) -> tuple[Asked, ...]:
    """The questions of a part, section by section; the id of each names its quiz. Raises ExamInvalid."""
    found: dict[str, Asked] = {}
    for section in part.sections:
        pool: list[Question] = []
        for slug in section.quizzes:
            try:
                quiz = bank.quiz(slug)
            except UnknownQuiz as error:
                raise ExamInvalid(f'{paper.slug}: section "{section.title}": {error}') from error
            named = (replace(question, id=f"{slug}/{question.id}") for question in quiz.questions)
            pool += [one for one in named if one.subject in section.subjects and one.id not in found]
        if len(pool) < section.draw:
            raise ExamInvalid(
                f'{paper.slug}: section "{section.title}": {section.draw} of {len(pool)} questions cannot be drawn'
            )
        found.update((one.id, one) for one in asked(pool, section.draw, f"{paper.slug}:{seed}:{section.title}"))
    return tuple(found.values())


def _one_lab(paper: Exam, group: tuple[str, ...], random: Random, seen: Collection[str]) -> str:
    fresh = [lab for lab in group if lab not in seen]
    if not fresh:
        raise ExamInvalid(
            f"{paper.slug}: the solutions of {', '.join(group)} were all shown: none of them can be drawn"
        )
    return random.choice(fresh)
