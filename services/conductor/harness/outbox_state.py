"""What the platform's database says about now, for drills to time their blows: read only, and patient with a database that restarts.

A worker that runs commands holds their outbox rows locked in a transaction. A lock writes the holder's transaction id into the row
(`xmax`), and the server knows which client port each transaction came from: so the very process that runs a command can be told.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg

from conductor.runtime import Reach

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
_HELD = """
    SELECT o.key, o.attempts, a.client_port FROM outbox o
    JOIN pg_stat_activity a ON a.backend_xid::text = o.xmax::text
    WHERE o.attempts > 0 AND o.queue = ANY(%s) AND a.client_port = ANY(%s)
"""
_PUBLISHED = "SELECT count(*) FROM outbox WHERE issued > 0 AND attempts = 0 AND state = 'open' AND queue = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Held:
    """A command that a process is running: its key (`<order>/<step>`) and which start this is."""

    key: str
    attempts: int


class Facts:
    """One connection, made anew when it broke. Methods answer None, or nothing, while the database does not answer."""

    def __init__(self, reach: Reach) -> None:
        self._url = reach.addresses()["database"]
        self._connection: psycopg.Connection[Any] | None = None

    def open_orders(self, prefix: str, *, younger_than_seconds: float | None = None) -> int | None:
        """How many orders of customers with this prefix are not final, or only those placed so lately."""
        return self._number(_OPEN, prefix + "%", younger_than_seconds)

    def final_orders(self, prefix: str, *, placed_after: datetime | None = None) -> int | None:
        """How many of them are final, of those placed after this moment on the database's clock."""
        return self._number(_FINAL, prefix + "%", placed_after)

    def clock(self) -> datetime | None:
        """The database's time."""
        rows = self.rows("SELECT now()")
        return rows[0][0] if rows else None

    def commands(self, prefix: str) -> int | None:
        """How many commands of theirs are still to be done."""
        return self._number(_COMMANDS, prefix + "%")

    def settled(self, prefix: str) -> bool:
        """Whether every order of theirs is final and nothing is left to be done for them, asked in this order: an end brings a mail."""
        return self.open_orders(prefix) == 0 and self.commands(prefix) == 0

    def published(self, queues: Sequence[str]) -> int | None:
        """How many commands of these queues were published and not started: messages that the broker has."""
        return self._number(_PUBLISHED, list(queues))

    def moved(self) -> tuple[int, ...]:
        """A mark that changes whenever anything moves on; empty while the database does not answer."""
        rows = self.rows(_MOVED)
        return tuple(rows[0]) if rows else ()

    def held_by(self, ports: Collection[int], queues: Sequence[str]) -> list[Held]:
        """The commands that the processes with these client ports are running."""
        rows = self.rows(_HELD, list(queues), list(ports))
        return [Held(key, attempts) for key, attempts, _ in rows or ()]

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]] | None:
        """The rows of a query; None when there was no answer."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(
                    self._url, autocommit=True, connect_timeout=2, options="-c default_transaction_read_only=on"
                )
            return self._connection.execute(query, values).fetchall()
        except psycopg.Error:
            self.close()
            return None

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _number(self, query: LiteralString, *values: object) -> int | None:
        rows = self.rows(query, *values)
        return int(rows[0][0]) if rows else None
