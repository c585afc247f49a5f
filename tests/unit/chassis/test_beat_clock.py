"""A machine's clock that is put back or forward stops no periodic task, and sends none before its time."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis import beat
from chassis.app import make_app
from chassis.settings import ServiceSettings

HOUR = timedelta(hours=1)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[], beat.Scheduler]]:
    """Makes a scheduler with an entry every 10 s, over one schedule file."""
    settings = ServiceSettings(database_url="postgresql+psycopg://nobody/none", broker_url="amqp://nobody")
    app = make_app("shop", ("shop.till",), settings, beat_schedule={"tick": {"task": "shop.tick", "schedule": 10.0}})
    made: list[beat.Scheduler] = []

    def scheduler() -> beat.Scheduler:
        made.append(beat.Scheduler(app, lazy=True, schedule_filename=str(tmp_path / "schedule")))
        made[-1].setup_schedule()
        return made[-1]

    yield scheduler
    for each in made:
        each.close()


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Puts the machine's clock."""

    def by(change: timedelta) -> None:
        class Put(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return datetime.now(tz) + change

        monkeypatch.setattr("celery.app.base.datetime", Put)
        monkeypatch.setattr("chassis.beat.datetime", Put)
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() + change.total_seconds())

    return by


@pytest.mark.parametrize("change", [-HOUR, HOUR])
def test_an_entry_is_due_after_its_interval_whatever_the_clock_does(
    make: Callable[[], beat.Scheduler], put: Callable[[timedelta], None], change: timedelta
) -> None:
    entry = make().schedule["tick"]
    entry.last_run_at = beat.steady_now()
    put(change)
    soon, wait = entry.is_due()
    entry.last_run_at = beat.steady_now() - timedelta(seconds=11)

    assert (False, True) == (soon, 9 < wait <= 10)
    assert entry.is_due()[0]


def test_a_last_run_in_the_future_counts_as_one_just_now(make: Callable[[], beat.Scheduler]) -> None:
    before = make()
    before.schedule["tick"].last_run_at = datetime.now(UTC) + HOUR
    before.sync()
    before.close()

    due, wait = make().schedule["tick"].is_due()

    assert (False, True) == (due, 9 < wait <= 10)


def test_a_last_run_long_ago_is_made_up_for_once(make: Callable[[], beat.Scheduler]) -> None:
    before = make()
    before.schedule["tick"].last_run_at = datetime.now(UTC) - HOUR
    before.sync()
    before.close()
    entry = make().schedule["tick"]

    assert (True, False) == (entry.is_due()[0], next(entry).is_due()[0])
