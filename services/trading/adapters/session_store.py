"""The sessions of a market in PostgreSQL, written ahead by its calendar."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.parking import engine_for
from trading.adapters.tables import sessions
from trading.adapters.transactions import begun
from trading.domain.sessions import Session

NEAR_US = 14 * 86_400_000_000
"""How far from now sessions are read: no market has a longer pause."""


class SqlSessionStore:
    """The sessions of one calendar."""

    def __init__(self, database_url: str, calendar: str) -> None:
        self._engine, self._calendar = engine_for(database_url), calendar

    def replace(self, written: Sequence[Session], today: int) -> None:
        """Replace all sessions from the first one's day on: an exchange may call one off. `today` is in days since 1970.

        Raises chassis.errors.Transient.
        """
        with begun(self._engine) as conn:
            later = sessions.c.day >= written[0].day
            conn.execute(sessions.delete().where(sessions.c.calendar == self._calendar, later))
            rows = [{"calendar": self._calendar, "written_on": today, **one._asdict()} for one in written]
            conn.execute(insert(sessions).values(rows).on_conflict_do_nothing())

    def written_on(self) -> int | None:
        """The day on which sessions were written last, in days since 1970; None before the first time. Raises Transient."""
        with begun(self._engine) as conn:
            last = sa.select(sa.func.max(sessions.c.written_on)).where(sessions.c.calendar == self._calendar)
            found: int | None = conn.execute(last).scalar_one_or_none()
            return found

    def near(self, now_us: int) -> list[Session]:
        """The sessions around a time, in order. Raises Transient."""
        table = sessions.c
        near = sa.and_(table.close_us > now_us - NEAR_US, table.open_us < now_us + NEAR_US)
        wanted = sa.select(table.day, table.open_us, table.close_us).where(table.calendar == self._calendar, near)
        with begun(self._engine) as conn:
            return [Session(*row) for row in conn.execute(wanted.order_by(table.day))]
