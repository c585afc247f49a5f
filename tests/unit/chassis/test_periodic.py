"""Periodic tasks: how long a tick is worth something, and which failures another one makes good."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from amqp.exceptions import AccessRefused
from billiard.exceptions import SoftTimeLimitExceeded
from celery.schedules import crontab
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from chassis import periodic
from chassis.errors import Permanent, Transient
from chassis.periodic import Ticks

SCHEDULE: dict[str, Any] = {
    "often": {"task": "shop.often", "schedule": 5.0},
    "seldom": {"task": "shop.often", "schedule": timedelta(minutes=1)},
    "nightly": {"task": "shop.nightly", "schedule": crontab(hour=3)},
}


def test_a_task_with_two_entries_has_the_shorter_interval() -> None:
    assert {"shop.often": 5.0} == periodic.intervals(SCHEDULE)


@pytest.mark.parametrize(("after_seconds", "stale"), [(0.0, True), (3.7, True), (3.8, False), (5.0, False)])
def test_a_tick_that_comes_too_early_is_stale(after_seconds: float, stale: bool) -> None:
    now = [100.0]
    ticks = Ticks({"shop.often": 5.0}, clock=lambda: now[0])
    ticks.is_stale("shop.often", [[], {}])
    now[0] += after_seconds

    assert stale is ticks.is_stale("shop.often", [[], {}])


def test_a_dropped_tick_does_not_put_off_the_next() -> None:
    now = [100.0]
    ticks = Ticks({"shop.often": 5.0}, clock=lambda: now[0])
    said = []
    for now[0] in (100.0, 103.0, 104.0):
        said.append(ticks.is_stale("shop.often", [[], {}]))

    assert [False, True, False] == said


def test_other_arguments_and_tasks_without_an_interval_are_never_stale() -> None:
    ticks = Ticks({"shop.often": 5.0}, clock=lambda: 0.0)

    assert [False] * 4 == [
        ticks.is_stale(task, arguments)
        for task, arguments in [
            ("shop.often", [[1]]),
            ("shop.often", [[2]]),
            ("shop.nightly", []),
            ("shop.nightly", []),
        ]
    ]


class Refused(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        self.sqlstate = sqlstate


def database_error(kind: type[sa.exc.DBAPIError], sqlstate: str | None) -> Exception:
    return kind("SELECT 1", {}, Refused(sqlstate))


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (Transient("x"), True),
        (SoftTimeLimitExceeded(), True),
        (OperationalError("no broker"), True),
        (AccessRefused("no", (60, 40)), True),
        (RedisConnectionError("gone"), True),
        (TimeoutError("slow"), True),
        (sa.exc.TimeoutError("no connection free"), True),
        (database_error(sa.exc.OperationalError, "57014"), True),
        (database_error(sa.exc.OperationalError, None), True),
        (database_error(sa.exc.ProgrammingError, "42703"), False),
        (database_error(sa.exc.IntegrityError, "23505"), False),
        (Permanent("x"), False),
        (KeyError("x"), False),
    ],
)
def test_what_passes_by_itself_is_no_bug(error: Exception, passes: bool) -> None:
    assert passes is periodic.will_pass(error)
