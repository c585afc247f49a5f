"""What a task that fails leaves behind."""

from typing import Any

import psycopg
import pytest
import redis
import sqlalchemy as sa
from billiard.exceptions import SoftTimeLimitExceeded
from structlog.testing import capture_logs

from chassis import parking
from chassis.app import ChassisApp, make_app
from chassis.errors import Transient
from chassis.settings import ServiceSettings


@pytest.fixture
def app() -> ChassisApp:
    settings = ServiceSettings(database_url="postgresql+psycopg://nobody/none", broker_url="amqp://nobody")
    schedule = {"look": {"task": "shop.look", "schedule": 60.0}}
    return make_app("shop", ("shop.till",), settings, beat_schedule=schedule)


@pytest.fixture
def parked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The reasons of what was parked."""
    reasons: list[str] = []
    monkeypatch.setattr(parking, "park_failure", lambda _, **told: reasons.append(told["reason"]))
    return reasons


def fail(
    app: ChassisApp, error: Exception, task: str = "shop.look", *, sent_again: bool = False, **kwargs: Any
) -> list[str]:
    """The names of what was logged when a task failed so."""

    @app.task(name=task, shared=False, sent_again=sent_again)
    def work(**_: Any) -> None: ...

    with capture_logs() as logs:
        work.on_failure(error, "id", (), kwargs, "Traceback")
    return [line["event"] for line in logs]


def of_the_database(state: str) -> sa.exc.DBAPIError:
    wrapped = sa.exc.DBAPIError.instance("SELECT 1", {}, psycopg.errors.lookup(state)("not now"), psycopg.Error)
    assert isinstance(wrapped, sa.exc.DBAPIError)
    return wrapped


@pytest.mark.parametrize("state", ["25006", "40P01", "53300", "55P03", "57P03"])
def test_a_periodic_task_that_the_database_cut_short_is_no_bug(app: ChassisApp, parked: list[str], state: str) -> None:
    assert (["tick_skipped"], []) == (fail(app, of_the_database(state)), parked)


def test_a_periodic_task_that_cannot_work_is_parked(app: ChassisApp, parked: list[str]) -> None:
    assert (["task_failed", "failure_parked"], ["bug"]) == (fail(app, of_the_database("42P01")), parked)


def test_what_beat_does_not_send_again_is_parked_whatever_it_failed_of(app: ChassisApp, parked: list[str]) -> None:
    fail(app, of_the_database("40P01"), task="shop.count")

    assert ["bug"] == parked


@pytest.mark.parametrize(
    "error",
    [Transient("the store is away"), redis.TimeoutError("slow"), of_the_database("57P03"), SoftTimeLimitExceeded()],
)
def test_what_its_sender_sends_again_is_not_parked_for_what_will_pass(
    app: ChassisApp, parked: list[str], error: Exception
) -> None:
    assert (["run_skipped"], []) == (fail(app, error, "shop.count", sent_again=True, n=1), parked)


def test_what_its_sender_sends_again_is_parked_for_a_bug(app: ChassisApp, parked: list[str]) -> None:
    fail(app, KeyError("users"), "shop.count", sent_again=True, n=1)

    assert ["bug"] == parked
