"""Proves the keys of quizzes, for who writes them.

Every question is put in each of its variants and several orders: its key must be right, and every other answer wrong. What a question
has as its `proof` is run with the libraries that are installed here. A quiz whose answers can be told without knowing them is refused.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from random import Random

from grader.domain.quiz import Asked, Kind, Question, Quiz, answered, filled, put
from grader.errors import QuizInvalid
from grader.quizzes import proof_process

ORDERS = 5
"""In how many orders of its choices a question is put."""

LONGEST_RIGHT = 0.45
"""At most this share of the questions with one right choice may be answered by taking the longest."""

TRUE_AT_MOST = 0.65
"""At most this share of the statements may be true, or false."""

TRIES = 3
"""Of a proof, before it counts as failed."""

FEWEST_FOR_SHARES = 8
"""A share of fewer questions says nothing."""


@dataclass(frozen=True, slots=True)
class QuizProof:
    """What was found of one quiz: how many questions, variants and run proofs it has, and what is wrong with it."""

    quiz: str
    questions: int
    variants: int
    proofs: int
    subjects: tuple[tuple[str, int], ...]
    wrong: tuple[str, ...]


def prove(quiz: Quiz) -> QuizProof:
    """Look at every question of a quiz, and run its proofs."""
    cases = [one for question in quiz.questions for one in filled(question)]
    proofs = [one for one in cases if one.proof]
    return QuizProof(
        quiz=quiz.slug,
        questions=len(quiz.questions),
        variants=len(cases),
        proofs=len(proofs),
        subjects=tuple(Counter(question.subject for question in quiz.questions).most_common()),
        wrong=(*chain.from_iterable(map(_graded, cases)), *_given_away(quiz.questions), *_not_holding(proofs)),
    )


def _graded(question: Question) -> Iterator[str]:
    for order in range(ORDERS):
        one = put(question, Random(f"{question.id}:{order}"))
        if not answered(one, one.key).right:
            yield f'{question.id}: its key "{one.key}" is graded wrong'
        for other in _other_answers(one):
            if answered(one, other).right:
                yield f'{question.id}: "{other}" is graded right beside "{one.key}"'


def _other_answers(question: Asked) -> list[str]:
    if question.kind is Kind.BLANK:
        return [f"{one} not" for one in question.accepted]
    if question.kind is Kind.TRUE_FALSE:
        every: Sequence[str] = ("true", "false")
    elif question.kind is Kind.ONE:
        every = question.letters
    else:
        letters = question.letters
        every = ["".join(some) for size in range(1, len(letters) + 1) for some in combinations(letters, size)]
    return [one for one in every if one != question.key]


def _given_away(questions: Sequence[Question]) -> Iterator[str]:
    one_right = [question for question in questions if question.kind is Kind.ONE]
    longest = [question.id for question in one_right if max(question.choices, key=lambda one: len(one.text)).right]
    if len(one_right) >= FEWEST_FOR_SHARES and len(longest) > LONGEST_RIGHT * len(one_right):
        yield f"the longest choice is right in {len(longest)} of {len(one_right)} questions: {', '.join(longest)}"
    statements = [question for question in questions if question.kind is Kind.TRUE_FALSE]
    for key in ("true", "false"):
        so = sum(choice.right for question in statements for choice in question.choices if choice.text == key)
        if len(statements) >= FEWEST_FOR_SHARES and so > TRUE_AT_MOST * len(statements):
            yield f"{so} of {len(statements)} statements are {key}"


def _not_holding(questions: Sequence[Question]) -> Iterator[str]:
    failed = list(zip(questions, _run(questions), strict=True))
    for _ in range(TRIES - 1):
        # One that waits for a thread or a process may come too late on a busy machine. A key that does not hold fails each time.
        again = [question for question, answer in failed if answer is not None]
        failed = list(zip(again, _run(again), strict=True))
    for question, answer in failed:
        if answer is not None:
            yield f"{question.id}: its proof fails: {answer}"


def _run(questions: Sequence[Question]) -> list[str | None]:
    """How the proofs of these questions ended, one after the other."""
    if not questions:
        return []
    lines = "".join(f"{json.dumps(question.proof)}\n" for question in questions)
    argv = [sys.executable, "-I", "-m", proof_process.__name__]
    ended = subprocess.run(argv, input=lines, capture_output=True, text=True, check=False)
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    if len(answers) != len(questions):
        raise QuizInvalid(f"{len(answers)} of {len(questions)} proofs were run: {ended.stderr.strip()[-500:]}")
    return answers
