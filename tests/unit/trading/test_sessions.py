"""Sessions of real calendars: half days, summer time and holidays; and the phase that follows from them."""

import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from trading.domain.sessions import Moment, Session, Unwritten, moment
from trading.domain.terms import Phase
from trading.write_sessions import UnknownCalendar, sessions_of

OPEN, SHUT = Phase.CONTINUOUS, Phase.CLOSED


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


@pytest.fixture(scope="module")
def new_york() -> list[Session]:
    return sessions_of("XNYS", date(2026, 10, 1), date(2027, 4, 1))


@pytest.mark.parametrize(
    ("at", "opened", "closed"),
    [
        ("2026-10-30", "2026-10-30T13:30", "2026-10-30T20:00"),
        # The clocks went back.
        ("2026-11-02", "2026-11-02T14:30", "2026-11-02T21:00"),
        # The day after Thanksgiving, and Christmas Eve: half days.
        ("2026-11-27", "2026-11-27T14:30", "2026-11-27T18:00"),
        ("2026-12-24", "2026-12-24T14:30", "2026-12-24T18:00"),
        ("2027-03-12", "2027-03-12T14:30", "2027-03-12T21:00"),
        # The clocks went forward.
        ("2027-03-15", "2027-03-15T13:30", "2027-03-15T20:00"),
    ],
)
def test_half_days_and_summer_time(new_york, at, opened, closed):
    assert Session(day(at), us(opened), us(closed)) in new_york


@pytest.mark.parametrize("holiday", ["2026-11-26", "2026-12-25", "2027-01-01", "2026-11-28", "2026-11-29"])
def test_there_is_no_session_on_a_holiday(new_york, holiday):
    assert day(holiday) not in [one.day for one in new_york]


@pytest.mark.parametrize(
    ("now", "session", "phase"),
    [
        ("2026-11-25T20:59:59", "2026-11-25", OPEN),
        ("2026-11-25T21:00", "2026-11-25", SHUT),
        ("2026-11-26T16:00", "2026-11-25", SHUT),
        ("2026-11-27T14:29:59", "2026-11-25", SHUT),
        ("2026-11-27T14:30", "2026-11-27", OPEN),
        ("2026-11-27T17:59:59", "2026-11-27", OPEN),
        ("2026-11-27T18:00", "2026-11-27", SHUT),
        ("2026-11-29T15:00", "2026-11-27", SHUT),
    ],
)
def test_the_phase_around_a_holiday_and_a_half_day(new_york, now, session, phase):
    assert Moment(day(session), phase) == moment(new_york, us(now))


def test_what_is_not_written_ahead_is_not_guessed(new_york):
    assert Moment(0, SHUT) == moment(new_york, us("2026-09-30T12:00"))
    with pytest.raises(Unwritten, match=f"end on day {day('2027-04-01')}"):
        moment(new_york, us("2027-04-01T20:00"))
    with pytest.raises(Unwritten, match="are none"):
        moment([], us("2027-04-01T20:00"))
    with pytest.raises(UnknownCalendar, match="MARKET_CALENDAR is 'XXXX'"):
        sessions_of("XXXX", date(2026, 10, 1), date(2027, 4, 1))


def test_no_process_of_the_service_imports_the_calendar_or_pandas():
    every_part = (
        "import trading.app as a, sys; a.make_portfolio(); import trading.write_sessions, trading.processes.feed;"
    )
    told = {"DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none", "BROKER_URL": "amqp://nobody@127.0.0.1:1//"}
    code = every_part + "sys.exit(bool({'pandas', 'numpy', 'exchange_calendars'} & sys.modules.keys()))"

    assert 0 == subprocess.run([sys.executable, "-c", code], env={"PATH": "", **told}, check=False).returncode
