"""What the consumer makes of a broker that went away; the real thing is in the drills."""

import pytest
from celery.worker.consumer import Consumer as CeleryConsumer
from structlog.testing import capture_logs

from chassis.worker import Consumer


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
