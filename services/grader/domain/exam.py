"""What an exam asks, and what it is certified as. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class PartKind(StrEnum):
    """How a part is done: questions are answered, labs repaired, a design written and reviewed by people."""

    QUESTIONS = "questions"
    LABS = "labs"
    DESIGN = "design"


@dataclass(frozen=True, slots=True)
class Section:
    """So many questions, drawn from the quizzes named, of the subjects named."""

    title: str
    draw: int
    quizzes: tuple[str, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Criterion:
    """What reviewers of a design give points for."""

    id: str
    title: str
    points: int


@dataclass(frozen=True, slots=True)
class Task:
    """One of the systems to design."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an exam, with a clock of its own that starts when it is opened. One of each group of `labs` and one of `tasks` is drawn."""

    id: str
    title: str
    kind: PartKind
    minutes: int
    points: int
    least_share: float = 0.0
    sections: tuple[Section, ...] = ()
    labs: tuple[tuple[str, ...], ...] = ()
    tasks: tuple[Task, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Certified:
    """What a share of an exam's points is certified as. `labs` must have been passed besides."""

    title: str
    from_share: float
    labs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exam:
    """An exam. `cool_off` lies between the end of an attempt and the begin of the next; an attempt ends `lasts` after its begin."""

    slug: str
    title: str
    pass_share: float
    most_attempts: int
    cool_off: timedelta
    lasts: timedelta
    parts: tuple[Part, ...]
    certificates: tuple[Certified, ...]
    version: str

    @property
    def points(self) -> int:
        """To be had in all parts."""
        return sum(part.points for part in self.parts)
