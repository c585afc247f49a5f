"""`python -m trading.write_sessions`: writes the sessions of the market's calendar ahead, half days and summer time included.

A process of its own, because `exchange-calendars` takes a second and 160 MB, which are gone with it. Reads the settings from the
environment (DATABASE_URL, MARKET_CALENDAR); exits with 0, or with 2 and one line when the calendar is unknown or the database cannot be
written.
"""

import sys
from datetime import UTC, date, datetime, timedelta

from chassis.errors import Transient
from trading.adapters.session_store import SqlSessionStore
from trading.domain.sessions import Session
from trading.settings import Settings

AHEAD = timedelta(days=370)
BEHIND = timedelta(days=14)
"""Also the session that is open, and the one before."""


class UnknownCalendar(ValueError):
    """No calendar has this name."""


def sessions_of(calendar: str, first: date, last: date) -> list[Session]:
    """The sessions of a calendar (`XNYS`) from a date to another, both included. Raises UnknownCalendar, and ImportError without
    `trading[calendar]`."""
    import exchange_calendars  # a second and 160 MB

    try:
        # Without bounds it works out 20 years.
        found = exchange_calendars.get_calendar(calendar, start=first.isoformat(), end=last.isoformat())
    except exchange_calendars.errors.InvalidCalendarName as error:
        raise UnknownCalendar(f"MARKET_CALENDAR is {calendar!r}: {error}") from error
    schedule = found.schedule
    return [
        Session(_days(day.date()), opened.value // 1000, closed.value // 1000)
        for day, opened, closed in zip(schedule.index, schedule["open"], schedule["close"], strict=True)
    ]


def _days(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def main() -> int:
    """Write them."""
    settings = Settings()
    today = datetime.now(UTC).date()
    try:
        written = sessions_of(settings.market_calendar, today - BEHIND, today + AHEAD)
        SqlSessionStore(settings.database_url, settings.market_calendar).replace(written, _days(today))
    except (UnknownCalendar, ImportError, Transient) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{len(written)} sessions of {settings.market_calendar} until day {written[-1].day}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
