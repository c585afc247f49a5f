"""A process whose clock differs from the database's says so, and goes on."""

import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from chassis import clock, metrics
from chassis.database import connect


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> metrics.Metrics:
    """The metrics of this process."""
    made = metrics.Metrics("till")
    monkeypatch.setattr(metrics, "_set", made)
    return made


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    monkeypatch.setattr(clock, "_compare_at", float("-inf"))
    made = connect(database_url)
    yield made
    made.dispose()


def used(engine: sa.Engine) -> list[str]:
    """The names of what was logged while a connection was used."""
    with capture_logs() as logs, engine.connect() as conn:
        assert 1 == conn.execute(sa.text("SELECT 1")).scalar_one()
    return [line["event"] for line in logs]


@pytest.mark.parametrize(("ahead", "logged"), [(0, []), (1200, ["clock_differs"]), (-1200, ["clock_differs"])])
def test_a_difference_is_measured_and_warned_of(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, counting: metrics.Metrics, ahead: int, logged: list[str]
) -> None:
    machine = time.time
    monkeypatch.setattr(time, "time", lambda: machine() + ahead)

    assert logged == used(engine)
    assert abs(counting.labelled(metrics.CLOCK)._value.get() - ahead) < 5


def test_it_is_measured_once_in_a_while(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    used(engine)
    machine = time.time
    monkeypatch.setattr(time, "time", lambda: machine() + 1200)

    assert [] == used(engine)
