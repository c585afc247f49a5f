"""The commands that are due, as the relay asks the outbox for them: how many of each queue go out now, and which come back.

Each function is one statement of the caller's transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

# A lease doubles with every re-issue, at most this often: a long backlog is not made longer by its own repeats.
_DOUBLINGS = 6

# Nothing waits for the disk: a mark that a crash forgets is set again.
_BEGIN = sa.text("SELECT now(), set_config('synchronous_commit', 'off', true)")

# Due commands of each queue from its floor on, oldest first, as many as the queue has room for.
_ISSUE = sa.text("""
    WITH due AS (
        SELECT c.id, c.due_at
        FROM unnest(CAST(:queues AS text[]), CAST(:rooms AS int[]), CAST(:floors AS timestamptz[])) AS q (name, room, floor)
        CROSS JOIN LATERAL (
            SELECT id, due_at FROM outbox WHERE queue = q.name AND state = 'open' AND due_at >= q.floor AND due_at <= now()
            ORDER BY due_at LIMIT q.room FOR UPDATE SKIP LOCKED
        ) c
    )
    UPDATE outbox o
    SET due_at = now() + make_interval(secs => :lease * power(2, least(o.issued, :doublings))), issued = o.issued + 1
    FROM due WHERE o.id = due.id
    RETURNING o.id, o.task, o.queue, o.issued, due.due_at AS was_due, o.headers->>'traceparent' AS traceparent
""")

# A loose index scan: the distinct queues of the open rows, one index probe each.
_QUEUES = sa.text("""
    WITH RECURSIVE q AS (
        (SELECT queue FROM outbox WHERE state = 'open' ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT (SELECT queue FROM outbox WHERE state = 'open' AND queue > q.queue ORDER BY queue LIMIT 1) FROM q WHERE q.queue IS NOT NULL
    )
    SELECT queue FROM q WHERE queue IS NOT NULL
""")

_AWAITED = sa.text("SELECT id FROM outbox WHERE id = ANY(:ids) AND state = 'open' AND issued > 0 AND due_at > now()")

_GIVE_BACK = sa.text("""
    UPDATE outbox SET due_at = now() + make_interval(secs => :after), issued = greatest(issued - 1, 0)
    WHERE id = ANY(:ids) AND state = 'open'
""")


def begin(conn: sa.Connection) -> datetime:
    """The database's time at the begin of a round."""
    moment: datetime = conn.execute(_BEGIN).one()[0]
    return moment


def queues(conn: sa.Connection) -> list[str]:
    """The queues that have open commands."""
    return [row.queue for row in conn.execute(_QUEUES)]


def issue(
    conn: sa.Connection, rooms: Mapping[str, int], floors: Sequence[datetime], *, lease_seconds: float
) -> Sequence[Any]:
    """Lease the oldest due commands, of each queue at most as many as it has room for, and from its floor on.

    Returns rows: id, task, queue, issued (how often, this time included), was_due, traceparent.
    """
    asked = {"queues": list(rooms), "rooms": list(rooms.values()), "floors": floors}
    return conn.execute(_ISSUE, {**asked, "lease": lease_seconds, "doublings": _DOUBLINGS}).all()


def awaited(conn: sa.Connection, ids: Collection[int]) -> set[int]:
    """Those of these commands whose outcome is awaited: issued, open, and not due again."""
    return {row.id for row in conn.execute(_AWAITED, {"ids": list(ids)})} if ids else set()


def give_back(conn: sa.Connection, ids: Collection[int], *, after_seconds: float) -> None:
    """Have these commands, which were not sent, come due again after so long."""
    conn.execute(_GIVE_BACK, {"ids": sorted(ids), "after": after_seconds})
