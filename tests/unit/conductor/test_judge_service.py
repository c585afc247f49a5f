"""The judge lets requests come, stops them when the drill is over or has failed, and answers with what it was asked for."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import pytest

from conductor.errors import DrillFailed
from conductor.harness import questions
from conductor.harness.judge_service import JudgeService
from conductor.harness.questions import Question
from conductor.harness.workload_run import WorkloadRun

ASKED: tuple[Question, ...] = (
    questions.AwaitProgress(3),
    questions.StillOpen(["a/b"]),
    questions.Record("pool", "tree", 1.5, 20),
    questions.Fail("server", {"rate": {"slow": 0.5}, "seed": 1}),
    questions.Hurry(),
    questions.AwaitBack(2),
    questions.Steer("storm"),
    questions.PublishConfirmed("tally.confirmed1", "rabbitmq-0.rabbitmq-nodes"),
    questions.Settle(),
)


class Run:
    """Keeps how the load ended."""

    ended = "not"
    begun = 0
    hurries = 0
    ways: tuple[str, ...] = ()
    away_seconds: tuple[float, ...] = ()

    @property
    def workload(self) -> "Run":
        return self

    @contextlib.contextmanager
    def hurried(self) -> Iterator[None]:
        self.hurries += 1
        yield
        self.hurries -= 1

    @contextlib.contextmanager
    def steered(self, way: str) -> Iterator[None]:
        self.ways += (way,)
        yield
        self.ways = tuple(one for one in self.ways if one != way)

    def counted(self) -> Counter[str]:
        return Counter(accepted=3)

    @contextlib.contextmanager
    def load(self) -> Iterator[Any]:
        self.begun += 1
        try:
            yield self
        except DrillFailed as error:
            self.ended = str(error)
            raise
        self.ended = "when enough were accepted"

    def await_loaded(self) -> int:
        if not self.hurries:
            raise DrillFailed("waited in vain")
        return 20

    def await_back(self, times: int) -> float:
        return self.away_seconds[times]


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
def judge(run: Run) -> JudgeService:
    return JudgeService(cast(WorkloadRun, run))


def test_requests_of_a_drill_that_failed_stop_at_once(run: Run, judge: JudgeService) -> None:
    judge.answer(questions.as_json(questions.Begin()))
    before = run.ended
    answered = judge.answer(questions.as_json(questions.Abandon()))

    assert ("not", {}, "the drill was given up") == (before, answered, run.ended)


def test_a_load_that_was_asked_for_twice_begins_once(run: Run, judge: JudgeService) -> None:
    for _ in range(2):
        judge.answer(questions.as_json(questions.Begin()))

    assert 1 == run.begun


def test_what_cannot_be_answered_says_why(judge: JudgeService) -> None:
    assert {"failed": "waited in vain"} == judge.answer(questions.as_json(questions.AwaitLoaded()))


def test_whoever_is_told_to_go_says_nothing(judge: JudgeService) -> None:
    assert judge.answer(questions.as_json(questions.Leave())) is None


@pytest.mark.parametrize("question", ASKED)
def test_a_question_arrives_as_it_was_asked(question: Question) -> None:
    assert question == questions.of_json(questions.as_json(question))


def test_requests_hurry_until_they_are_answered_again(run: Run, judge: JudgeService) -> None:
    run.away_seconds = (9.0,)
    hurry = questions.as_json(questions.Hurry())
    # Asked twice when the first answer was lost on the way.
    answers = [judge.answer(hurry) for _ in range(2)]
    hurries = run.hurries
    run.away_seconds = (9.0, 0.5)
    back = judge.answer(questions.as_json(questions.AwaitBack(1)))

    assert [{"in_flight": 20, "times": 1}] * 2 == answers
    assert (1, {"away_seconds": 0.5}, 0) == (hurries, back, run.hurries)


def test_a_load_is_steered_until_it_is_released(run: Run, judge: JudgeService) -> None:
    steer, release = (questions.as_json(kind("storm")) for kind in (questions.Steer, questions.Release))
    # Asked twice when the first answer was lost on the way.
    for _ in range(2):
        judge.answer(steer)
    ways = run.ways
    for _ in range(2):
        judge.answer(release)

    assert (("storm",), ()) == (ways, run.ways)
    assert {"counts": {"accepted": 3}} == judge.answer(questions.as_json(questions.Counts()))
