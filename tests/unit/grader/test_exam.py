"""Where an attempt at an exam stands, as its events tell."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grader.domain.attempt import Attempt, Happened, State, attempts, may_begin
from grader.domain.exam import Certified, Criterion, Exam, Part, PartKind, Task

BEGIN = datetime(2026, 5, 4, 9, tzinfo=UTC)
EXAM = Exam(
    slug="some",
    title="Some",
    pass_share=0.8,
    most_attempts=2,
    cool_off=timedelta(hours=24),
    lasts=timedelta(days=2),
    parts=(
        Part("knowledge", "Questions", PartKind.QUESTIONS, minutes=30, points=30),
        Part("practice", "Labs", PartKind.LABS, minutes=60, points=50, least_share=0.5),
        Part(
            "design",
            "A design",
            PartKind.DESIGN,
            minutes=60,
            points=20,
            tasks=(Task("shop", "A shop", "Design a shop."),),
            criteria=(Criterion("drawn", "Drawn", 8), Criterion("safe", "Safe", 12)),
        ),
    ),
    certificates=(Certified("Developer", 0.8), Certified("Expert", 0.9), Certified("Master", 0.95, ("saga",))),
    version="v1",
)


class Book:
    """The events of a gradebook; `at` are minutes since the begin."""

    def __init__(self) -> None:
        self.events: list[Happened] = []

    def tell(self, at: float, kind: str, part: str = "", exam: str = "some", **body: Any) -> "Book":
        named: Mapping[str, Any] = {"attempt": len(self.attempts()), "part": part} if part else {}
        self.events.append(Happened(BEGIN + timedelta(minutes=at), kind, exam, {**named, **body}))
        return self

    def begin(self, at: float = 0) -> "Book":
        drawn = {"practice": ["poison", "hoarder"], "design": ["shop"]}
        return self.tell(at, "exam_begun", seed=7, versions={"some": "v1"}, asked={"knowledge": 10}, drawn=drawn)

    def answers(self, right: int, of: int = 10, at: float = 1) -> "Book":
        self.tell(at, "exam_opened", "knowledge")
        for number in range(of):
            self.tell(at, "exam_answered", "knowledge", question=str(number), right=number < right)
        return self.tell(at, "exam_closed", "knowledge")

    def graded(self, lab: str, points: int, at: float = 40, handed_in: float | None = None) -> "Book":
        self.tell(at if handed_in is None else handed_in, "exam_handed_in", "practice", lab=lab)
        return self.tell(at, "exam_graded", "practice", lab=lab, points=points, of=10)

    def labs(self, *points: int) -> "Book":
        self.tell(40, "exam_opened", "practice")
        for lab, got in zip(("poison", "hoarder"), points, strict=True):
            self.graded(lab, got)
        return self.tell(41, "exam_closed", "practice")

    def design(self) -> "Book":
        self.tell(50, "exam_opened", "design").tell(51, "exam_designed", "design", text="drawn")
        return self.tell(52, "exam_closed", "design")

    def reviews(self, *given: tuple[float, float]) -> "Book":
        for number, (drawn, safe) in enumerate(given):
            self.tell(
                60 + number, "exam_reviewed", "design", reviewer=f"r{number}", scores={"drawn": drawn, "safe": safe}
            )
        return self

    def attempts(self, exam: Exam = EXAM) -> list[Attempt]:
        return attempts(exam, self.events)

    def standing(self, at: float = 70) -> tuple[State, float]:
        last = self.attempts()[-1]
        return last.state_at(BEGIN + timedelta(minutes=at)), round(last.points, 2)


@pytest.fixture
def book() -> Book:
    return Book().begin()


def test_an_attempt_whose_parts_are_good_enough_is_passed(book: Book) -> None:
    assert (State.PASSED, 89.0) == book.answers(9).labs(10, 8).design().reviews((8, 10), (8, 8)).standing()


def test_an_attempt_runs_until_nothing_can_be_done_for_it(book: Book) -> None:
    book.answers(10)

    assert State.RUNNING == book.standing(at=5)[0]
    assert State.FAILED == book.standing(at=2 * 24 * 60)[0]


def test_a_design_is_worth_nothing_until_two_people_agree(book: Book) -> None:
    book.answers(10).labs(10, 10).design()

    assert (State.IN_REVIEW, 80.0) == book.standing()
    assert (State.IN_REVIEW, 80.0) == book.reviews((8, 12)).standing()


@pytest.mark.parametrize(
    ("given", "state", "points"),
    [
        ([(8, 12), (8, 9)], State.PASSED, 98.5),  # 100 % and 85 %
        ([(8, 12), (8, 8)], State.IN_REVIEW, 80.0),  # 100 % and 80 %
        ([(8, 12), (0, 0), (8, 8)], State.PASSED, 96.0),  # the middle one of three
    ],
)
def test_reviews_that_lie_far_apart_are_settled_by_a_third(
    book: Book, given: list[tuple[float, float]], state: State, points: float
) -> None:
    assert (state, points) == book.answers(10).labs(10, 10).design().reviews(*given).standing()


def test_a_part_that_earned_too_little_fails_the_whole(book: Book) -> None:
    weak = replace(EXAM, pass_share=0.5)
    book.answers(10).labs(9, 0).design().reviews((8, 12), (8, 12))

    [attempt] = book.attempts(weak)

    assert (72.5, State.FAILED) == (attempt.points, attempt.state_at(BEGIN + timedelta(hours=3)))


def test_questions_without_an_answer_are_wrong(book: Book) -> None:
    assert 15.0 == book.answers(5, of=5).standing()[1]


def test_the_first_answer_to_a_question_counts(book: Book) -> None:
    book.tell(1, "exam_opened", "knowledge")
    for right in (False, True):
        book.tell(2, "exam_answered", "knowledge", question="1", right=right)

    assert 0.0 == book.standing()[1]


def test_what_comes_after_the_clock_does_not_count(book: Book) -> None:
    book.tell(1, "exam_opened", "knowledge")
    book.tell(30.9, "exam_answered", "knowledge", question="1", right=True)
    book.tell(31, "exam_answered", "knowledge", question="2", right=True)

    assert 3.0 == book.standing()[1]


def test_a_lab_counts_from_when_it_was_handed_in(book: Book) -> None:
    book.tell(40, "exam_opened", "practice")
    book.graded("poison", 10, at=100.05, handed_in=99.9).graded("hoarder", 10, at=104, handed_in=100.1)

    assert 25.0 == book.standing()[1]


def test_the_best_grading_of_a_lab_counts(book: Book) -> None:
    book.tell(40, "exam_opened", "practice").graded("poison", 8).graded("poison", 2)

    assert 20.0 == book.standing()[1]


def test_an_examiner_s_decision_stands_over_what_was_earned(book: Book) -> None:
    book.answers(10).labs(10, 10).design().tell(90, "exam_decided", "design", points=15, by="R. Roe", reason="ill")

    assert (State.PASSED, 95.0) == book.standing(at=91)


def test_a_clock_that_went_back_makes_an_attempt_invalid(book: Book) -> None:
    book.tell(1, "exam_opened", "knowledge").tell(29, "graded", exam="first-app").tell(10, "exam_closed", "knowledge")

    [attempt] = book.attempts()

    assert State.INVALID == attempt.state_at(BEGIN + timedelta(minutes=30))
    assert "the clock went back from 2026-05-04 09:29:00 to 2026-05-04 09:10:00 UTC" == attempt.invalid


def test_a_clock_that_is_set_right_by_seconds_is_no_matter(book: Book) -> None:
    book.tell(1, "exam_opened", "knowledge").tell(0.95, "exam_closed", "knowledge")

    assert "" == book.attempts()[0].invalid


def test_events_of_other_exams_and_labs_are_not_of_this_one(book: Book) -> None:
    book.tell(1, "exam_begun", exam="other").tell(2, "graded", exam="first-app")

    assert 1 == len(book.attempts())


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (10, "attempt 1 at some has not ended"),
        (60 * 25, "the next attempt at some may begin at 2026-05-05T10:31+00:00"),
        (60 * 26, ""),
    ],
)
def test_between_attempts_lies_a_time(book: Book, at: float, said: str) -> None:
    book.answers(0).labs(0, 0) if at > 10 else book.answers(0)
    if at > 10:
        book.tell(90, "exam_opened", "design").tell(91, "exam_closed", "design")

    assert said == may_begin(EXAM, book.attempts(), BEGIN + timedelta(minutes=at))


def test_no_more_attempts_than_allowed_are_begun(book: Book) -> None:
    book.begin(at=3 * 24 * 60)

    assert "there were 2 attempts at some, and no more are allowed" == may_begin(
        EXAM, book.attempts(), BEGIN + timedelta(days=9)
    )


def test_who_passed_need_not_try_again(book: Book) -> None:
    book.answers(10).labs(10, 10).design().reviews((8, 12), (8, 12))

    assert "some is passed" == may_begin(EXAM, book.attempts(), BEGIN + timedelta(days=9))


@pytest.mark.parametrize(
    ("right", "labs", "title"), [(5, (), "Developer"), (9, (), "Expert"), (10, (), "Expert"), (10, ("saga",), "Master")]
)
def test_the_highest_title_that_the_points_earn_is_certified(
    book: Book, right: int, labs: tuple[str, ...], title: str
) -> None:
    book.answers(right).labs(10, 10).design().reviews((8, 12), (8, 12))

    earned = book.attempts()[0].certified(labs)

    assert earned is not None
    assert title == earned.title


def test_an_event_of_something_else_does_not_hide_that_the_clock_went_back(book: Book) -> None:
    book.tell(1, "exam_opened", "knowledge").tell(29, "exam_answered", "knowledge", question="1", right=True)
    book.tell(10, "quiz_begun", exam="module-01").tell(10, "exam_answered", "knowledge", question="2", right=True)

    assert State.INVALID == book.standing(at=30)[0]


def test_small_steps_back_add_up(book: Book) -> None:
    book.tell(29, "exam_opened", "knowledge")
    for step in range(1, 4):
        book.tell(29 - step * 0.05, "exam_answered", "knowledge", question=str(step), right=True)

    assert State.INVALID == book.standing(at=30)[0]


def test_a_clock_that_is_behind_when_a_design_is_reviewed_changes_nothing(book: Book) -> None:
    book.answers(10).labs(10, 10).design().tell(70, "graded", exam="first-app").reviews((8, 12), (8, 12))

    assert (State.PASSED, 100.0) == book.standing()


def test_after_an_invalid_attempt_the_pause_begins_when_it_became_so(book: Book) -> None:
    book.tell(1, "exam_opened", "knowledge").tell(29, "graded", exam="first-app").tell(10, "exam_closed", "knowledge")

    for hours in (1, 20):
        said = may_begin(EXAM, book.attempts(), BEGIN + timedelta(hours=hours))
        assert "the next attempt at some may begin at 2026-05-05T09:29+00:00" == said


def test_a_quiz_of_the_same_name_is_no_attempt(book: Book) -> None:
    book.tell(1, "quiz_begun", seed=1).tell(2, "quiz_taken", points=1).tell(3, "certified", holder="x")

    assert 1 == len(book.attempts())


def test_a_grading_that_was_broken_off_is_used(book: Book) -> None:
    book.tell(40, "exam_opened", "practice")
    for _ in range(5):
        book.tell(41, "exam_handed_in", "practice", lab="poison")
    book.tell(42, "exam_handed_in", "practice", lab="poison").tell(
        43, "exam_graded", "practice", lab="poison", points=10, of=10
    )

    standing = book.attempts()[-1].parts["practice"]
    assert (5, 25.0) == (standing.used("poison"), standing.points)


def test_no_more_gradings_count_than_were_handed_in(book: Book) -> None:
    book.tell(40, "exam_opened", "practice").tell(41, "exam_handed_in", "practice", lab="poison")
    for points in (2, 10):
        book.tell(42, "exam_graded", "practice", lab="poison", points=points, of=10)

    assert 5.0 == book.standing()[1]


def test_a_grading_that_could_not_be_judged_is_given_back(book: Book) -> None:
    book.tell(40, "exam_opened", "practice").tell(41, "exam_handed_in", "practice", lab="poison")
    book.tell(42, "exam_untold", "practice", lab="poison").graded("poison", 10, at=43)

    standing = book.attempts()[-1].parts["practice"]
    assert (1, 25.0) == (standing.used("poison"), standing.points)


def test_a_lab_that_was_handed_in_before_its_part_was_closed_counts(book: Book) -> None:
    book.tell(40, "exam_opened", "practice").tell(41, "exam_handed_in", "practice", lab="poison")
    book.tell(42, "exam_closed", "practice").tell(44, "exam_graded", "practice", lab="poison", points=10, of=10)

    assert 25.0 == book.standing()[1]


def test_a_third_review_counts_only_where_the_first_two_lie_apart(book: Book) -> None:
    book.answers(10).labs(10, 10).design().reviews((4, 6), (4, 6), (8, 12))

    assert 90.0 == book.standing()[1]


def test_points_that_are_enough_are_enough_in_tenths(book: Book) -> None:
    tenths = replace(EXAM, parts=(*EXAM.parts[:2], replace(EXAM.parts[2], least_share=0.6)))
    book.answers(10).labs(10, 10).design().reviews((3.1 + 0.7 + 4.1, 2.9 + 1.2), (3.1 + 0.7 + 4.1, 2.9 + 1.2))

    [attempt] = book.attempts(tenths)

    assert (12.0, State.PASSED) == (attempt.parts["design"].points, attempt.state_at(BEGIN + timedelta(hours=3)))
