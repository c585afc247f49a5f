"""What the worker's heartbeat makes of tasks and consumers. Time is an argument."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chassis.worker_heartbeat import MARGIN_SECONDS, Deadlines, WorkerHeartbeat, unconsumed


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


class Waker:
    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def worker(tmp_path: Path) -> Any:
    settings = SimpleNamespace(heartbeat_file=tmp_path / "heartbeat", consumers_paused=False)
    app = SimpleNamespace(settings=settings, amqp=SimpleNamespace(queues=SimpleNamespace(consume_from=TAGS)))
    return SimpleNamespace(app=app, hub=SimpleNamespace(_waker=Waker()), time_limit=30, consumer=None)


def test_sigterm_wakes_the_loop(worker: Any) -> None:
    WorkerHeartbeat(worker).drain()

    assert worker.hub._waker.woken == 1


def test_sigterm_in_a_child_is_not_the_workers(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat = WorkerHeartbeat(worker)
    monkeypatch.setattr("os.getpid", lambda: -1)

    heartbeat.drain()

    assert worker.hub._waker.woken == 0


def test_a_worker_without_a_connection_is_unreachable(worker: Any, tmp_path: Path) -> None:
    heartbeat = WorkerHeartbeat(worker)
    heartbeat.tick()

    assert json.loads((tmp_path / "heartbeat").read_text())["state"] == "unreachable"


class Delivered:
    """A message that a child works on."""

    id = "a"
    time_limits = (30, 20)


def test_a_task_that_is_delivered_again_at_once_under_its_id_begins_anew(
    worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat = WorkerHeartbeat(worker)
    for now in (100.0, 125.0):
        held = [Delivered()]
        monkeypatch.setattr(
            "chassis.worker_heartbeat.requests", SimpleNamespace(reserved_requests=held, active_requests=held)
        )
        heartbeat.tick(lambda now=now: now)  # type: ignore[misc]

    assert 125.0 + 30 + MARGIN_SECONDS == heartbeat._deadline


def test_a_task_that_ended_while_the_broker_was_away_is_not_past_its_limit(
    worker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Delivered()
    monkeypatch.setattr(
        "chassis.worker_heartbeat.requests", SimpleNamespace(reserved_requests=[running], active_requests=[running])
    )
    monkeypatch.setattr("time.monotonic", lambda: 1000.0)
    heartbeat = WorkerHeartbeat(worker)
    deadlines = []
    for look in (lambda: heartbeat.tick(lambda: 100.0), heartbeat.unreachable, lambda: heartbeat.tick(lambda: 300.0)):
        look()
        deadlines.append(heartbeat._deadline)

    assert [130 + MARGIN_SECONDS, None, 330 + MARGIN_SECONDS] == deadlines


def test_a_second_task_within_the_same_second_costs_no_second_write(worker: Any, tmp_path: Path) -> None:
    heartbeat = WorkerHeartbeat(worker)
    task = SimpleNamespace(request=SimpleNamespace(timelimit=None), time_limit=None)
    heartbeat.before_task(task)
    first = (tmp_path / "heartbeat").read_text()

    heartbeat.before_task(task)

    assert (tmp_path / "heartbeat").read_text() == first


def test_a_tasks_own_limit_goes_before_the_workers(worker: Any, tmp_path: Path) -> None:
    task = SimpleNamespace(request=SimpleNamespace(timelimit=[5, 4]), time_limit=20)

    WorkerHeartbeat(worker).before_task(task)

    told = json.loads((tmp_path / "heartbeat").read_text())
    assert told["deadline"] - told["ticked"] == pytest.approx(5 + MARGIN_SECONDS + 1, abs=0.5)
