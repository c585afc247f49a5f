"""What is wrong with the file of a quiz is named, and what is wrong with its keys is proved."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from grader.errors import QuizInvalid, UnknownQuiz
from grader.quizzes import bank, proving

CHOICES = [
    {"text": "one", "right": True, "why": "so"},
    {"text": "two", "why": "not so"},
    {"text": "three", "why": "not so"},
]
ONE = {"id": "one", "subject": "brokers", "kind": "one", "text": "which?", "source": "a page", "choices": CHOICES}
BLANK = {
    "id": "blank",
    "subject": "workers",
    "kind": "blank",
    "text": "$count and one?",
    "source": "a page",
    "accepted": ["$sum"],
    "why": "$count + 1",
    "variants": [{"count": 1, "sum": 2}, {"count": 4, "sum": 5}],
    "proof": "assert $count + 1 == $sum",
}


def written(folder: Path, *questions: dict[str, Any], **other: Any) -> Path:
    quiz = {"title": "Some", "level": "module", "draw": 1, "questions": list(questions), **other}
    (folder / "some.yaml").write_text(yaml.safe_dump(quiz))
    return folder


def test_a_quiz_is_read_as_it_is_written(tmp_path: Path) -> None:
    quiz = bank.quiz("some", written(tmp_path, ONE, BLANK, draw=2))

    assert ("some", 2, 0.8, ["one", "blank"]) == (
        quiz.slug,
        quiz.draw,
        quiz.pass_share,
        [one.id for one in quiz.questions],
    )
    assert ["some"] == bank.slugs(tmp_path)


def test_another_text_is_another_version(tmp_path: Path) -> None:
    before = bank.quiz("some", written(tmp_path, ONE)).version

    assert before != bank.quiz("some", written(tmp_path, ONE | {"text": "what?"})).version


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subject": "cooking"}, "questions.0.subject: .* not 'cooking'"),
        ({"kind": "essay"}, "questions.0.kind: .* not 'essay'"),
        ({"colour": "red"}, "questions.0.colour: Extra inputs"),
        ({"choices": CHOICES[1:]}, '"one": .* needs one or more right choices and two or more wrong ones'),
        ({"choices": [*CHOICES, CHOICES[1]]}, '"one": two choices are the same'),
        ({"accepted": ["1"]}, '"one": accepted: a question of the kind one has none'),
        ({"right": False}, '"one": right: a question of the kind one has none'),
        ({"kind": "several"}, '"one": .* needs four to six choices'),
        ({"kind": "true-false"}, '"one": .* needs right: true or false'),
        ({"variants": [{"a": 1}], "text": "$b?"}, '"one": "\\$b" is in no variant'),
    ],
)
def test_a_question_that_cannot_be_asked_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(QuizInvalid, match=f"some.yaml: .*{said}"):
        bank.quiz("some", written(tmp_path, ONE | change))


@pytest.mark.parametrize(
    ("questions", "other", "said"),
    [
        ([ONE, ONE], {}, 'id "one" is used by two questions'),
        ([ONE], {"draw": 2}, "draw: 2 of 1 questions"),
        ([ONE], {"level": "expert"}, "level: .* not 'expert'"),
        ([], {}, "questions: "),
    ],
)
def test_a_quiz_that_cannot_be_taken_is_named(
    tmp_path: Path, questions: list[dict[str, Any]], other: dict[str, Any], said: str
) -> None:
    with pytest.raises(QuizInvalid, match=f"some.yaml: {said}"):
        bank.quiz("some", written(tmp_path, *questions, **other))


@pytest.mark.parametrize("slug", ["other", "../some", "Some"])
def test_a_quiz_that_is_not_there_is_named(tmp_path: Path, slug: str) -> None:
    with pytest.raises(UnknownQuiz, match=f'there is no quiz "{slug}"'):
        bank.quiz(slug, written(tmp_path, ONE))


def test_keys_that_hold_are_proved(tmp_path: Path) -> None:
    proof = proving.prove(bank.quiz("some", written(tmp_path, ONE, BLANK)))

    assert (2, 3, 2, ()) == (proof.questions, proof.variants, proof.proofs, proof.wrong)


def test_a_proof_that_fails_in_one_variant_is_told(tmp_path: Path) -> None:
    wrong = BLANK | {"variants": [{"count": 1, "sum": 2}, {"count": 4, "sum": 6}]}

    proof = proving.prove(bank.quiz("some", written(tmp_path, wrong)))

    assert ["blank: its proof fails: AssertionError"] == list(proof.wrong)


@pytest.mark.parametrize(
    ("proof", "said"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "its process ended with the status -9"),
        ("import os\nos._exit(3)", "its process ended with the status 3"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("def", "SyntaxError: invalid syntax"),
    ],
)
def test_a_proof_that_comes_to_no_end_of_its_own_does_not_hold(tmp_path: Path, proof: str, said: str) -> None:
    questions = [ONE | {"proof": proof}, ONE | {"id": "after", "proof": "print('fine')"}]

    assert [f"one: its proof fails: {said}"] == list(
        proving.prove(bank.quiz("some", written(tmp_path, *questions))).wrong
    )


def test_a_proof_begins_where_nothing_was_done(tmp_path: Path) -> None:
    own = "from celery import Celery, current_app\nassert current_app.main != 'mine'\nCelery('mine')\n"
    own += "import pickle\nclass Own: ...\nassert type(pickle.loads(pickle.dumps(Own()))) is Own\n"
    questions = [ONE | {"id": f"one-{number}", "proof": own} for number in range(3)]

    assert () == proving.prove(bank.quiz("some", written(tmp_path, *questions))).wrong


def test_two_accepted_words_that_mean_a_wrong_answer_too_are_told(tmp_path: Path) -> None:
    wrong = BLANK | {"accepted": ["$sum", "$sum not"]}

    [said, *_] = proving.prove(bank.quiz("some", written(tmp_path, wrong))).wrong

    assert 'blank: "2 not" is graded right beside "2"' == said


@pytest.mark.parametrize(("longest_right", "told"), [(4, True), (3, False)])
def test_a_quiz_that_is_passed_by_the_longest_choice_is_refused(tmp_path: Path, longest_right: int, told: bool) -> None:
    long = [{"text": "the longest", "right": True, "why": "so"}, *CHOICES[1:]]
    questions = [ONE | {"id": f"one-{n}", "choices": long if n < longest_right else CHOICES} for n in range(8)]

    said = proving.prove(bank.quiz("some", written(tmp_path, *questions))).wrong

    assert told == any(line.startswith("the longest choice is right in 4 of 8") for line in said)


def test_statements_that_are_mostly_true_are_refused(tmp_path: Path) -> None:
    questions = [
        {"id": f"so-{n}", "subject": "brokers", "kind": "true-false", "text": "so?", "source": "a page", "why": "so"}
        | {"right": n < 6}
        for n in range(8)
    ]

    assert ("6 of 8 statements are true",) == proving.prove(bank.quiz("some", written(tmp_path, *questions))).wrong


@pytest.mark.parametrize("slug", sorted(path.stem for path in bank.QUIZZES.glob("*.yaml")))
def test_the_keys_of_a_quiz_of_ours_hold(slug: str) -> None:
    quiz = bank.quiz(slug)
    proof = proving.prove(quiz)

    assert () == proof.wrong
    assert len(quiz.questions) >= (10 if quiz.level == "module" else 40)
    assert len({question.subject for question in quiz.questions}) >= 3
