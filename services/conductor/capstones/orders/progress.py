"""How far the orders of a load are, as their database says: see conductor.capstone.Progress. A scope is a prefix of customers."""

from collections.abc import Mapping
from datetime import datetime

from conductor.harness.outbox_state import Database
from conductor.runtime import Reach

STATES = ("pending", "processing", "paid", "shipped", "delivered", "cancelled", "failed")

BY_STATE = "SELECT state, count(*) FROM orders GROUP BY state"

_OPEN = """
    SELECT count(*) FROM orders
    WHERE customer LIKE %s AND state NOT IN ('delivered', 'cancelled', 'failed')
      AND created_at > coalesce(now() - make_interval(secs => %s), '-infinity'::timestamptz)
"""
_FINAL = """
    SELECT count(*) FROM orders
    WHERE customer LIKE %s AND state IN ('delivered', 'cancelled', 'failed') AND created_at > coalesce(%s, '-infinity'::timestamptz)
"""
_COMMANDS = """
    SELECT count(*) FROM outbox c JOIN orders o ON o.id::text = split_part(c.key, '/', 1)
    WHERE o.customer LIKE %s AND c.state = 'open'
"""
# Anything that moves: lines of timelines, and starts and ends of commands.
_MOVED = (
    "SELECT (SELECT coalesce(max(id), 0) FROM timeline), (SELECT count(*) FROM outbox), (SELECT count(*) FROM mails)"
)


class OrdersProgress(Database):
    """The orders of customers whose name begins with `scope`."""

    def __init__(self, access: Reach, scope: str = "") -> None:
        super().__init__(access)
        self._customers = scope + "%"

    def in_flight(self, *, younger_than_seconds: float | None = None) -> int | None:
        """How many are not final, or only of those placed so lately."""
        return self.number(_OPEN, self._customers, younger_than_seconds)

    def completed(self, since: datetime | None = None) -> int | None:
        """How many are final, of those placed after this moment on the database's clock."""
        return self.number(_FINAL, self._customers, since)

    def by_state(self) -> Mapping[str, int] | None:
        """How many orders of the platform are in each state."""
        rows = self.rows(BY_STATE)
        return None if rows is None else {**dict.fromkeys(STATES, 0), **dict(rows)}

    def moved(self) -> tuple[int, ...]:
        """See Progress."""
        rows = self.rows(_MOVED)
        return tuple(rows[0]) if rows else ()

    def settled(self) -> bool:
        """Whether every order is final and no command is left, asked in this order: an end brings a mail."""
        return self.in_flight() == 0 and self.number(_COMMANDS, self._customers) == 0
