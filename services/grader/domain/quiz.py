"""What a quiz is, which of its questions a seed draws and how it puts them, and what an answer is worth. Pure.

The same quiz and seed give the same questions with the same numbers and the same order of choices.
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest
from math import ceil
from random import Random

SCHEMA = 1
"""Of the result's JSON; raised when a field changes its meaning or goes."""

MOST_SHOWN = 4
"""Choices of a question with one right answer; of more wrong ones the seed draws some."""

QUOTES = "`'\""
"""May stand round what is written into a blank."""


class Kind(StrEnum):
    """How a question is answered: by one letter, by every letter that is right, by true or false, by a word or a number."""

    ONE = "one"
    SEVERAL = "several"
    TRUE_FALSE = "true-false"
    BLANK = "blank"


class NoAnswer(ValueError):
    """What was typed answers nothing; the message says what may be typed."""


class UnknownName(ValueError):
    """A text uses a name that a variant does not give; the message names it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers to choose from; `why` says what makes it right or wrong."""

    text: str
    right: bool
    why: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it is written. `variants` give values to the names (`$name`) in its texts and its proof; one is drawn.

    A blank has what is `accepted` instead of choices, and its `why` here. `proof` is Python that fails where the answer does not hold.
    """

    id: str
    subject: str
    kind: Kind
    text: str
    source: str
    choices: tuple[Choice, ...] = ()
    accepted: tuple[str, ...] = ()
    why: str = ""
    variants: tuple[Mapping[str, str], ...] = ()
    proof: str = ""


@dataclass(frozen=True, slots=True)
class Quiz:
    """Questions, of which each attempt draws some, evenly over their subjects; `pass_share` of those answered right passes."""

    slug: str
    title: str
    level: str
    draw: int
    pass_share: float
    questions: tuple[Question, ...]
    version: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as a learner sees it: its names replaced by values, its choices in the order of their letters."""

    id: str
    subject: str
    kind: Kind
    text: str
    source: str
    choices: tuple[Choice, ...]
    accepted: tuple[str, ...]
    why: str

    @property
    def letters(self) -> str:
        """The letters of its choices."""
        return string.ascii_lowercase[: len(self.choices)]

    @property
    def key(self) -> str:
        """The right answer, as it may be typed."""
        if self.kind is Kind.BLANK:
            return self.accepted[0]
        if self.kind is Kind.TRUE_FALSE:
            return next(choice.text for choice in self.choices if choice.right)
        return "".join(letter for letter, choice in zip(self.letters, self.choices, strict=True) if choice.right)

    def explained(self, given: Sequence[str], *, right: bool) -> list[tuple[str, str]]:
        """The letters and reasons of the choices that were given, and where that was not right, of those that should have been."""
        return [
            (letter, choice.why)
            for letter, choice in zip(self.letters, self.choices, strict=True)
            if choice.text in given or (choice.right and not right)
        ]


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer and its worth. `given` is what was meant by it: the texts of the choices, or what was written."""

    question: str
    subject: str
    given: tuple[str, ...]
    right: bool
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuizResult:
    """One attempt at a quiz. Where the learner chose the seed it is `practice`, and counts for nothing."""

    quiz: str
    quiz_version: str
    seed: int
    answers: tuple[Answered, ...]
    pass_share: float
    practice: bool
    schema: int = SCHEMA

    @property
    def points(self) -> int:
        """Questions answered right."""
        return sum(answer.right for answer in self.answers)

    @property
    def of(self) -> int:
        """Questions asked."""
        return len(self.answers)

    @property
    def passed(self) -> bool:
        """Whether it is enough to pass."""
        return self.of > 0 and self.points >= ceil(self.of * self.pass_share)


def drawn(quiz: Quiz, seed: int) -> tuple[Asked, ...]:
    """The questions of an attempt, in the order in which they are asked."""
    return asked(quiz.questions, quiz.draw, f"{quiz.slug}:{seed}")


def asked(questions: Sequence[Question], count: int, seed: str) -> tuple[Asked, ...]:
    """So many of these questions (all where there are fewer), as evenly over their subjects as these allow."""
    random = Random(seed)
    by_subject: dict[str, list[Question]] = {}
    for question in questions:
        by_subject.setdefault(question.subject, []).append(question)
    shuffled = [random.sample(of, len(of)) for of in by_subject.values()]
    random.shuffle(shuffled)
    in_turn = [one for turn in zip_longest(*shuffled) for one in turn if one is not None][:count]
    random.shuffle(in_turn)
    return tuple(put(question, Random(f"{seed}:{question.id}")) for question in in_turn)


def put(question: Question, random: Random) -> Asked:
    """The question with the values of one of its variants, and its choices in some order. Raises UnknownName."""
    question = random.choice(filled(question))
    choices = list(question.choices)
    if question.kind is Kind.ONE:
        right = [random.choice([choice for choice in choices if choice.right])]
        wrong = [choice for choice in choices if not choice.right]
        choices = right + random.sample(wrong, min(len(wrong), MOST_SHOWN - 1))
    if question.kind is not Kind.TRUE_FALSE:
        random.shuffle(choices)
    return Asked(
        id=question.id,
        subject=question.subject,
        kind=question.kind,
        text=question.text,
        source=question.source,
        choices=tuple(choices),
        accepted=question.accepted,
        why=question.why,
    )


def filled(question: Question) -> list[Question]:
    """The question with the values of each of its variants; as it is where it has none. Raises UnknownName."""

    def by(values: Mapping[str, str]) -> Question:
        return replace(
            question,
            text=_filled(question.text, values),
            choices=tuple(
                Choice(_filled(choice.text, values), choice.right, _filled(choice.why, values))
                for choice in question.choices
            ),
            accepted=tuple(_filled(one, values) for one in question.accepted),
            why=_filled(question.why, values),
            proof=_filled(question.proof, values),
            variants=(),
        )

    return [by(values) for values in question.variants] or [question]


def answered(question: Asked, typed: str) -> Answered:
    """What an answer is worth: all or nothing. Raises NoAnswer for what cannot be one."""
    if not typed.isprintable():
        raise NoAnswer("what was typed holds control characters, such as those of the arrow keys")
    if question.kind is Kind.BLANK:
        given = _plain(typed)
        if not given:
            raise NoAnswer("write a word or a number")
        right = given in {_plain(one) for one in question.accepted}
        return Answered(question.id, question.subject, (" ".join(typed.split()),), right, (question.why,))
    chosen = _chosen(question, typed)
    right = all((choice in chosen) == choice.right for choice in question.choices)
    texts = tuple(one.text for one in chosen)
    # Both choices of a statement say the same.
    because = dict.fromkeys(why for _, why in question.explained(texts, right=right))
    return Answered(question.id, question.subject, texts, right, tuple(because))


def _chosen(question: Asked, typed: str) -> list[Choice]:
    wanted = typed.strip().casefold()
    if question.kind is Kind.TRUE_FALSE:
        found = [choice for choice in question.choices if wanted and choice.text.startswith(wanted)]
        if not found:
            raise NoAnswer(f'"{typed.strip()}" is neither true nor false')
        return found
    letters = [letter for letter in wanted if letter not in " ,;"]
    for letter in letters:
        if letter not in question.letters:
            raise NoAnswer(f'"{letter}" is none of {", ".join(question.letters)}')
    if not letters or (question.kind is Kind.ONE and len(set(letters)) > 1):
        many = "one letter" if question.kind is Kind.ONE else "one letter or more"
        raise NoAnswer(f"type {many} of {', '.join(question.letters)}")
    return [choice for letter, choice in zip(question.letters, question.choices, strict=True) if letter in letters]


def _plain(text: str) -> str:
    """Without what does not matter: capitals, spaces round it, quotes and a full stop."""
    return " ".join(text.split()).rstrip(".").strip(QUOTES).casefold()


def _filled(text: str, values: Mapping[str, str]) -> str:
    try:
        return string.Template(text).substitute(values)
    except KeyError as error:
        raise UnknownName(f'"${error.args[0]}" is in no variant') from None
    except ValueError:
        raise UnknownName(f'a "$" without a name in "{text[:60]}"; write "$$" for a dollar') from None
