"""Reads quizzes from labs/quizzes/, one YAML file each. Whatever is wrong is refused with file, question and value."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from grader.catalog import LABS, SLUG, file_of, first_of, slugs_of
from grader.checks import Strict
from grader.domain.lab import twice
from grader.domain.quiz import Choice, Kind, Question, Quiz, UnknownName, filled
from grader.errors import QuizInvalid, UnknownQuiz

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML's wheels have libyaml, which reads ten times as fast."""

QUIZZES = LABS / "quizzes"
LEVELS = ("module", "foundation", "intermediate", "advanced", "production")
SUBJECTS = (
    "architecture",
    "brokers",
    "tasks",
    "retries",
    "results",
    "canvas",
    "routing",
    "workers",
    "configuration",
    "scheduling",
    "monitoring",
    "testing",
    "operations",
    "security",
    "failures",
    "scenarios",
)


class _Choice(Strict):
    text: str = Field(min_length=1)
    right: bool = False
    why: str = Field(min_length=1)


class _Question(Strict):
    id: str = Field(pattern=SLUG.pattern)
    subject: Literal[SUBJECTS]  # type: ignore[valid-type]
    kind: Kind
    text: str = Field(min_length=1)
    source: str = Field(min_length=1)
    choices: tuple[_Choice, ...] = ()
    right: bool | None = None
    accepted: tuple[str | int, ...] = ()
    why: str = ""
    variants: tuple[dict[str, str | int | float], ...] = ()
    proof: str = ""


class _Quiz(Strict):
    title: str = Field(min_length=1)
    level: Literal[LEVELS]  # type: ignore[valid-type]
    draw: int = Field(gt=0)
    pass_percent: int = Field(default=80, gt=0, le=100)
    questions: tuple[_Question, ...] = Field(min_length=1)


def slugs(folder: Path = QUIZZES) -> list[str]:
    """The quizzes of a folder, by level and name."""
    found = [quiz(slug, folder) for slug in slugs_of(folder)]
    return [one.slug for one in sorted(found, key=lambda one: (LEVELS.index(one.level), one.slug))]


def quiz(slug: str, folder: Path = QUIZZES) -> Quiz:
    """One of them. Raises UnknownQuiz and QuizInvalid."""
    path = file_of(folder, slug)
    if path is None:
        raise UnknownQuiz(f'there is no quiz "{slug}": `capstone quiz list` names those there are')
    return _read(path, path.read_bytes())


@lru_cache
def _read(path: Path, text: bytes) -> Quiz:
    """The quiz that a file holds; kept, because an exam draws from the same quizzes again and again, and reading takes a while."""
    try:
        read = _Quiz.model_validate(yaml.load(text, Loader))
    except yaml.YAMLError as error:
        raise QuizInvalid(f"{path}: no YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise QuizInvalid(f"{path}: {first_of(error, shown=repr)}") from error
    questions = tuple(_question(path, one) for one in read.questions)
    if (name := twice([one.id for one in questions])) is not None:
        raise QuizInvalid(f'{path}: id "{name}" is used by two questions')
    if read.draw > len(questions):
        raise QuizInvalid(f"{path}: draw: {read.draw} of {len(questions)} questions cannot be drawn")
    return Quiz(
        slug=path.stem,
        title=read.title,
        level=read.level,
        draw=read.draw,
        pass_share=read.pass_percent / 100,
        questions=questions,
        version=hashlib.sha256(text).hexdigest()[:12],
    )


def _question(path: Path, read: _Question) -> Question:
    def refuse(why: str) -> QuizInvalid:
        return QuizInvalid(f'{path}: question "{read.id}": {why}')

    right = sum(choice.right for choice in read.choices)
    wrong = len(read.choices) - right
    needs = {
        Kind.ONE: ("choices", "one or more right choices and two or more wrong ones", right >= 1 and wrong >= 2),
        Kind.SEVERAL: ("choices", "four to six choices, one right and one wrong at least",
                       right >= 1 and wrong >= 1 and 4 <= len(read.choices) <= 6),
        Kind.TRUE_FALSE: ("right", "right: true or false, and a why", read.right is not None and bool(read.why)),
        Kind.BLANK: ("accepted", "what is accepted, and a why", bool(read.accepted and read.why)),
    }  # fmt: skip
    own, wanted, there = needs[read.kind]
    if not there:
        raise refuse(f"a question of the kind {read.kind} needs {wanted}")
    for key, given in (("choices", read.choices), ("right", read.right), ("accepted", read.accepted)):
        if given not in (None, ()) and key != own:
            raise refuse(f"{key}: a question of the kind {read.kind} has none")
    question = Question(
        id=read.id,
        subject=read.subject,
        kind=read.kind,
        text=read.text.strip(),
        source=read.source,
        choices=_true_false(read) or tuple(Choice(one.text, one.right, one.why.strip()) for one in read.choices),
        accepted=tuple(map(str, read.accepted)),
        why=read.why.strip(),
        variants=tuple({name: str(value) for name, value in one.items()} for one in read.variants),
        proof=read.proof,
    )
    try:
        for one in filled(question):
            if len({choice.text for choice in one.choices}) < len(one.choices):
                raise refuse("two choices are the same")
    except UnknownName as error:
        raise refuse(str(error)) from error
    return question


def _true_false(read: _Question) -> tuple[Choice, ...]:
    if read.right is None:
        return ()
    return (Choice("true", read.right, read.why.strip()), Choice("false", not read.right, read.why.strip()))
