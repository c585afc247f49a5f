"""What the worker's pulse makes of tasks and consumers. Time is an argument."""

from types import SimpleNamespace
from typing import Any

import pytest

from chassis.pulse import MARGIN_SECONDS, Deadlines, unconsumed


def test_without_tasks_there_is_no_deadline() -> None:
    assert Deadlines().earliest([], 0.0) is None


def test_a_deadline_is_the_limit_and_a_margin_after_the_begin() -> None:
    assert Deadlines().earliest([("a", True, 30)], 100.0) == 130 + MARGIN_SECONDS


def test_looking_again_does_not_move_it() -> None:
    deadlines = Deadlines()
    deadlines.earliest([("a", True, 30)], 100.0)

    assert deadlines.earliest([("a", True, 30)], 129.0) == 130 + MARGIN_SECONDS


def test_a_task_that_was_handed_over_and_never_begun_has_one_too() -> None:
    deadlines = Deadlines()
    deadlines.earliest([("a", False, 30)], 100.0)

    assert deadlines.earliest([("a", False, 30)], 129.0) == 130 + MARGIN_SECONDS


def test_the_begin_starts_it_anew() -> None:
    deadlines = Deadlines()
    deadlines.earliest([("a", False, 30)], 100.0)

    assert deadlines.earliest([("a", True, 30)], 120.0) == 150 + MARGIN_SECONDS


def test_the_first_of_several_counts() -> None:
    assert Deadlines().earliest([("a", True, 30), ("b", True, 5), ("c", True, 60)], 0.0) == 5 + MARGIN_SECONDS


def test_a_task_that_ended_is_forgotten() -> None:
    deadlines = Deadlines()
    deadlines.earliest([("a", True, 30)], 0.0)
    deadlines.earliest([], 1.0)

    assert deadlines.earliest([("a", True, 30)], 100.0) == 130 + MARGIN_SECONDS


def consumer(*, live: set[str], tags: dict[str, str], asked_at: float | None = None) -> Any:
    channel = SimpleNamespace(_consumers=live, _brpop_sent_at=asked_at)
    return SimpleNamespace(task_consumer=SimpleNamespace(channel=channel, _active_tags=tags))


QUEUES = frozenset({"shop.till", "shop.stock"})
TAGS = {"shop.till": "1", "shop.stock": "2"}


def test_a_consumer_of_every_queue_is_well() -> None:
    assert unconsumed(consumer(live={"1", "2"}, tags=TAGS), QUEUES, 0.0) == []


def test_a_queue_whose_consumer_was_cancelled_here_is_named() -> None:
    assert unconsumed(consumer(live={"1"}, tags={"shop.till": "1"}), QUEUES, 0.0) == ["shop.stock"]


def test_a_queue_whose_consumer_was_cancelled_by_the_broker_is_named() -> None:
    assert unconsumed(consumer(live={"2"}, tags=TAGS), QUEUES, 0.0) == ["shop.till"]


@pytest.mark.parametrize(("silent", "named"), [(39, []), (41, ["shop.stock", "shop.till"])])
def test_a_redis_consumer_that_stopped_asking_consumes_nothing(silent: float, named: list[str]) -> None:
    assert unconsumed(consumer(live={"1", "2"}, tags=TAGS, asked_at=100.0), QUEUES, 100.0 + silent) == named


def test_on_rabbitmq_the_channels_callbacks_are_what_is_live() -> None:
    amqp = SimpleNamespace(callbacks={"1": print})
    told = SimpleNamespace(task_consumer=SimpleNamespace(channel=amqp, _active_tags=TAGS))

    assert unconsumed(told, QUEUES, 0.0) == ["shop.stock"]
