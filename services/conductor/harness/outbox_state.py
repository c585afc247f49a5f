"""What the platform's database says about now, for drills to time their faults: read only, and patient with a database that restarts.

A worker that runs commands holds their outbox rows locked in a transaction. A lock writes the holder's transaction id into the row
(`xmax`), and the server knows which client port each transaction came from: so the very process that runs a command can be told.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg

from conductor.runtime import Reach

_HELD = """
    SELECT o.key, o.attempts, a.client_port FROM outbox o
    JOIN pg_stat_activity a ON a.backend_xid::text = o.xmax::text
    WHERE o.attempts > 0 AND o.queue = ANY(%s) AND a.client_port = ANY(%s)
"""
_HELD_AT = """
    SELECT o.key, o.attempts, a.client_port FROM outbox o JOIN pg_stat_activity a ON a.backend_xid::text = o.xmax::text
    WHERE o.attempts > 0 AND host(a.client_addr) = %s
"""
_STILL_OPEN = "SELECT key FROM outbox WHERE key = ANY(%s)"
_PUBLISHED = "SELECT count(*) FROM outbox WHERE issued > 0 AND attempts = 0 AND state = 'open' AND queue = ANY(%s)"
# Of each queue, or the one that is furthest behind would be all there is.
_UNDER_WAY = """
    SELECT id, task, queue FROM (
        SELECT id, task, queue, row_number() OVER (PARTITION BY queue ORDER BY id) AS n FROM outbox WHERE issued > 0 AND state = 'open'
    ) under_way WHERE n <= 50
"""
_PARKED = "SELECT count(*) FROM parked WHERE status = 'parked'"


@dataclass(frozen=True, slots=True)
class Held:
    """A command that a process is running: its key (`<request>/<step>`), which start this is, and the client port of the process."""

    key: str
    attempts: int
    port: int


class Database:
    """One connection that only reads, made anew when it broke. Methods answer None, or nothing, while the database does not answer."""

    def __init__(self, access: Reach) -> None:
        self._url = access.addresses()["database"]
        self._connection: psycopg.Connection[Any] | None = None

    def clock(self) -> datetime | None:
        """The database's time."""
        rows = self.rows("SELECT now()")
        return rows[0][0] if rows else None

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

    def number(self, query: LiteralString, *values: object) -> int | None:
        """The one number that a query gives; None when there was no answer."""
        rows = self.rows(query, *values)
        return int(rows[0][0]) if rows else None

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class OutboxState(Database):
    """Commands and parked messages: the chassis' tables, which every capstone's database has."""

    def published(self, queues: Sequence[str]) -> int | None:
        """How many commands of these queues were published and not started: messages that the broker has."""
        return self.number(_PUBLISHED, list(queues))

    def under_way(self) -> dict[int, tuple[str, str]]:
        """The oldest published commands of each queue by id, each with its task and queue."""
        return {row[0]: (row[1], row[2]) for row in self.rows(_UNDER_WAY) or ()}

    def held_by(self, ports: Collection[int], queues: Sequence[str]) -> list[Held]:
        """The commands that the processes with these client ports are running."""
        rows = self.rows(_HELD, list(queues), list(ports))
        return [Held(*row) for row in rows or ()]

    def held_at(self, address: str) -> list[Held]:
        """The commands that a pod with this address is running."""
        return [Held(*row) for row in self.rows(_HELD_AT, address) or ()]

    def still_open(self, keys: Sequence[str]) -> list[str]:
        """Those of the commands that have no outcome yet."""
        return [row[0] for row in self.rows(_STILL_OPEN, list(keys)) or ()]

    def parked(self) -> int:
        """How many messages are parked and wait for a decision."""
        return self.number(_PARKED) or 0
