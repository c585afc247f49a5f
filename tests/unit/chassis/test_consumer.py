"""What the consumer makes of a broker that went away; the real thing is in the drills."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state as requests
from celery.worker.consumer import Consumer as CeleryConsumer
from structlog.testing import capture_logs

from chassis.message_checks import Fault
from chassis.worker import Consumer, Worker


def consumer() -> Consumer:
    made = Consumer.__new__(Consumer)
    made.connection_errors, made.channel_errors = (ConnectionError,), (LookupError,)
    return made


def losing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Consumer:
    """A consumer whose lost connection cannot be closed because of this error."""

    def close(self: CeleryConsumer, exc: Exception) -> None:
        raise error

    monkeypatch.setattr(CeleryConsumer, "on_connection_error_after_connected", close)
    return consumer()


@pytest.mark.parametrize(
    "error", [AttributeError("'NoneType' object has no attribute 'hostname'"), ConnectionError(), KeyError()]
)
def test_a_lost_connection_that_cannot_be_closed_does_not_end_the_worker(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with capture_logs() as logs:
        losing(monkeypatch, error).on_connection_error_after_connected(OSError("gone"))

    assert ["lost_connection_not_closed"] == [line["event"] for line in logs]


def test_any_other_error_while_closing_does(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        losing(monkeypatch, ZeroDivisionError()).on_connection_error_after_connected(OSError("gone"))


class Parking:
    """A consumer that remembers what it was to park."""

    lost = (ConnectionError,)

    def __init__(self) -> None:
        self.parked: list[tuple[Any, Fault]] = []

    def park(self, message: Any, found: Fault) -> None:
        self.parked.append((message, found))


class Unfit:
    """A request that no pool takes."""

    id = "i"
    message = "the message"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def execute_using_pool(self, pool: Any) -> None:
        raise self.error


def worker(released: list[int]) -> Any:
    made = Worker.__new__(Worker)
    made.pool, made.consumer, made._quick_release = SimpleNamespace(), Parking(), lambda: released.append(1)
    return made


def test_what_cannot_be_handed_to_a_process_is_parked_and_gives_its_place_back() -> None:
    released: list[int] = []
    made, unfit = worker(released), Unfit(ValueError("cannot be pickled"))
    requests.task_reserved(unfit)

    made._process_task(unfit)

    ((message, found),) = made.consumer.parked
    assert ("the message", True) == (message, found.message_only)
    assert "cannot be pickled" in found.detail
    assert [1] == released
    assert unfit not in requests.reserved_requests


def test_a_pipe_or_broker_that_is_lost_parks_nothing() -> None:
    made = worker([])

    with pytest.raises(ConnectionError):
        made._process_task(Unfit(ConnectionError()))

    assert made.consumer.parked == []
