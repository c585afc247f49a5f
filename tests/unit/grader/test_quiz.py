"""What a seed draws of a quiz, and what answers are worth."""

from collections import Counter
from dataclasses import replace
from itertools import combinations
from random import Random

import pytest

from grader.domain.quiz import (
    Asked,
    Choice,
    Kind,
    NoAnswer,
    Question,
    Quiz,
    QuizResult,
    UnknownName,
    answered,
    drawn,
    put,
)

SUBJECTS = ("brokers", "workers", "retries")


def one_of(name: str, subject: str = "brokers", wrong: int = 3) -> Question:
    choices = (Choice("right", True, "because"), *(Choice(f"wrong {number}", False, "no") for number in range(wrong)))
    return Question(name, subject, Kind.ONE, f"{name}?", "a source", choices)


def several() -> Question:
    choices = tuple(Choice(letter, letter in "pr", f"why {letter}") for letter in "pqrs")
    return Question("several", "brokers", Kind.SEVERAL, "which?", "a source", choices)


def blank(*accepted: str) -> Question:
    return Question("blank", "brokers", Kind.BLANK, "how many?", "a source", accepted=accepted, why="counted")


def statement(right: bool) -> Question:
    choices = (Choice("true", right, "so it is"), Choice("false", not right, "so it is"))
    return Question("statement", "brokers", Kind.TRUE_FALSE, "is it?", "a source", choices)


QUIZ = Quiz(
    slug="some",
    title="Some",
    level="module",
    draw=6,
    pass_share=0.8,
    questions=tuple(one_of(f"{subject}-{number}", subject) for subject in SUBJECTS for number in range(7)),
    version="v1",
)


def asked(question: Question) -> Asked:
    return put(question, Random("a seed"))


def test_the_same_seed_asks_the_same() -> None:
    assert drawn(QUIZ, 7) == drawn(QUIZ, 7)


def test_seeds_differ_in_questions_and_in_the_order_of_choices() -> None:
    attempts = [drawn(QUIZ, seed) for seed in range(40)]

    assert len({tuple(question.id for question in attempt) for attempt in attempts}) > 35
    assert set("abcd") == {question.key for attempt in attempts for question in attempt}


def test_questions_are_drawn_evenly_over_the_subjects_and_never_twice() -> None:
    for seed in range(20):
        questions = drawn(QUIZ, seed)

        assert dict.fromkeys(SUBJECTS, 2) == Counter(question.subject for question in questions)
        assert len({question.id for question in questions}) == 6


def test_a_subject_with_few_questions_leaves_its_places_to_the_others() -> None:
    few = replace(QUIZ, questions=(*QUIZ.questions[:1], *QUIZ.questions[7:]))

    assert 6 == len(drawn(few, 1))


def test_of_many_wrong_choices_three_are_shown_and_all_in_their_time() -> None:
    questions = [put(one_of("many", wrong=6), Random(str(seed))) for seed in range(60)]

    assert {4} == {len(question.choices) for question in questions}
    assert 7 == len({choice.text for question in questions for choice in question.choices})
    assert {1} == {len(question.key) for question in questions}


def test_a_variant_gives_its_values_to_all_texts() -> None:
    question = replace(
        blank("$most"),
        text="$processes times $multiplier?",
        why="$$ $most",
        variants=(
            {"processes": "4", "multiplier": "2", "most": "8"},
            {"processes": "3", "multiplier": "3", "most": "9"},
        ),
    )

    found = {(one.text, one.key, one.why) for one in (put(question, Random(str(seed))) for seed in range(20))}

    assert {("4 times 2?", "8", "$ 8"), ("3 times 3?", "9", "$ 9")} == found


@pytest.mark.parametrize(("text", "said"), [("$other?", '"\\$other" is in no variant'), ("5 $ each", "without a name")])
def test_a_name_without_a_value_is_refused(text: str, said: str) -> None:
    with pytest.raises(UnknownName, match=said):
        asked(replace(blank("1"), text=text, variants=({"most": "1"},)))


def test_a_dollar_is_a_dollar_where_nothing_varies() -> None:
    assert "5 $ each" == asked(replace(blank("1"), text="5 $ each")).text


def test_only_the_key_is_right() -> None:
    question = asked(one_of("one"))

    assert [letter == question.key for letter in "abcd"] == [answered(question, letter).right for letter in "abcd"]


def test_of_several_exactly_the_right_ones_are_right() -> None:
    question = asked(several())
    every = ["".join(some) for size in range(1, 5) for some in combinations("abcd", size)]

    assert [question.key] == [some for some in every if answered(question, some).right]
    first, second = question.key
    assert answered(question, f" {second.upper()}, {first}").right


@pytest.mark.parametrize(("typed", "right"), [("true", True), ("T", True), ("f", False), (" False ", False)])
def test_a_statement_is_answered_by_a_word_or_its_first_letter(typed: str, right: bool) -> None:
    answer = answered(asked(statement(True)), typed)

    assert (right, ("so it is",)) == (answer.right, answer.because)


@pytest.mark.parametrize(("typed", "right"), [("16", True), (" `16`. ", True), ("Sixteen", True), ("15", False)])
def test_capitals_quotes_and_a_full_stop_do_not_matter_in_a_blank(typed: str, right: bool) -> None:
    assert right == answered(asked(blank("16", "sixteen")), typed).right


@pytest.mark.parametrize(
    ("question", "typed", "said"),
    [
        (one_of("one"), "", "one letter of a, b, c, d"),
        (one_of("one"), "ab", "one letter of a, b, c, d"),
        (one_of("one"), "e", '"e" is none of a, b, c, d'),
        (several(), " ", "one letter or more"),
        (statement(True), "a", '"a" is neither true nor false'),
        (statement(True), "", "neither true nor false"),
        (blank("1"), " `` ", "a word or a number"),
        (blank("1"), "1\x1b[D", "control characters"),
        (blank("1"), "caf\udce9", "control characters"),
    ],
)
def test_what_cannot_be_an_answer_is_none(question: Question, typed: str, said: str) -> None:
    with pytest.raises(NoAnswer, match=said):
        answered(asked(question), typed)


def test_a_wrong_answer_is_told_what_was_chosen_and_what_was_right() -> None:
    question = asked(several())
    missed, wrong = question.key[0], next(letter for letter in "abcd" if letter not in question.key)
    texts = dict(zip(question.letters, (choice.text for choice in question.choices), strict=True))

    answer = answered(question, question.key[1] + wrong)

    assert {f"why {texts[letter]}" for letter in (*question.key, wrong)} == set(answer.because)
    assert missed not in answer.given


@pytest.mark.parametrize(("right", "of", "passed"), [(8, 10, True), (7, 10, False), (3, 3, True), (2, 3, False)])
def test_four_of_five_pass(right: int, of: int, passed: bool) -> None:
    question = asked(blank("yes"))
    answers = tuple(answered(question, "yes" if number < right else "no") for number in range(of))

    result = QuizResult("some", "v1", 1, answers, 0.8, practice=False)

    assert (right, of, passed) == (result.points, result.of, result.passed)
