"""Commands that must run, written in the transaction that decided them (transactional outbox; Richardson, Microservices Patterns, ch. 3).

A command's life: `put` → published by the relay → `start`ed → `finish`ed. All of it is SQL on one table, so any process may die
between any two lines and the row is simply due again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

from chassis import personal, storable
from chassis.traceparent import Context
from chassis.tracing import Span


@dataclass(frozen=True, slots=True)
class Command:
    """One piece of work to be done at least once, and recorded once.

    `key` names the work, not the attempt: while a command with this key is open, putting it again changes nothing.
    """

    key: str
    task: str
    queue: str
    body: Mapping[str, Any]
    delay_seconds: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    begun: bool = False
    """True for a command that is written anew because its row was lost: it may have run before."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A command as a worker holds it.

    `attempts` counts starts without an outcome, this one included. `begun` is True when an earlier start may have had an effect that
    was never recorded: a worker died at it, or nobody could tell how it ended.
    """

    id: int
    key: str
    task: str
    queue: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    attempts: int
    failures: int
    begun: bool
    waited_seconds: float | None = None
    """Since it was due by its own wish, by the database's clock."""
    ran_seconds: float | None = None
    """Since it was started before, by the database's clock; says something only if that start has no outcome."""
    tried: bool = False
    """Whether an earlier attempt ended without being done, also one that was parked."""
    span: Span | None = None
    """Of this attempt, while there are traces."""
    told: Context | None = None
    """Where its headers said that it belongs, while there are traces."""

    def trace(self, span: Span, told: Context | None, headers: Mapping[str, str]) -> None:
        """Give it the span of this attempt; for who took it up, once. A copy would cost four times what the span does."""
        for name, value in (("span", span), ("told", told), ("headers", headers)):
            object.__setattr__(self, name, value)

    @property
    def onward(self) -> Mapping[str, str]:
        """The headers of commands that follow from this one."""
        return self.headers if self.span is None else {**self.headers, "traceparent": str(self.span.follows)}


RetryReason = Literal["transient", "circuit_open", "unknown_outcome", "out_of_time", "database"]
"""Kinds of reasons to try again, few enough to count by: an outside system failed, is known to be down, or answered nothing that tells how
it ended; the batch, or the soft time limit, ran out; the database failed."""


@dataclass(frozen=True, slots=True)
class Done:
    """The outcome is recorded; the command goes."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. `counts` is False when nothing was tried (circuit open), so that an outage uses up no patience.

    `begun` is True when this try may have had an effect that is not recorded. `reason` is what kind of thing `why` tells of.
    """

    after_seconds: float
    why: str
    counts: bool = True
    begun: bool = False
    reason: RetryReason = "transient"


@dataclass(frozen=True, slots=True)
class Park:
    """Never by itself again: put aside for a person, with the reason."""

    reason: str
    detail: str = ""


Outcome = Done | Retry | Park

# Due from the moment of writing, and not from the beginning of a transaction that may have waited for the outside: the relay looks for what
# became due lately (chassis.relay).
# One JSON value instead of seven arrays: the driver escapes an array's items one by one, at several times the cost.
_PUT = sa.text("""
    INSERT INTO outbox (key, task, queue, body, headers, due_at, wanted_at, begun)
    SELECT c.key, c.task, c.queue, c.body, c.headers, due.at, due.at, c.begun
    FROM ROWS FROM (json_to_recordset(CAST(:commands AS json))
        AS (key text, task text, queue text, body jsonb, headers jsonb, delay float8, begun bool)) WITH ORDINALITY
        AS c (key, task, queue, body, headers, delay, begun, n)
    CROSS JOIN LATERAL (SELECT clock_timestamp() + make_interval(secs => c.delay) AS at) due
    ORDER BY c.n
    ON CONFLICT (key) DO NOTHING
""")

_WORK = """o.id, o.key, o.task, o.queue, o.body, o.headers, o.attempts, o.failures, o.begun OR o.attempts > 1,
    extract(epoch FROM o.started_at - coalesce(o.wanted_at, o.created_at))::float8,
    extract(epoch FROM o.started_at - free.started_at)::float8, o.last_error IS NOT NULL"""

# A start that a crash of the database server forgets is only counted late; a worker's own death forgets nothing. Part of the
# statement, so that it is the whole transaction on a connection in autocommit. A lock alone is a transaction to be written, too.
_NOT_WAITING_FOR_THE_DISK = "(SELECT set_config('synchronous_commit', 'off', true)) quick"

_START_FRESH = sa.text(f"""
    UPDATE outbox o SET attempts = o.attempts + 1, started_at = clock_timestamp()
    FROM (SELECT id, started_at FROM outbox WHERE id = ANY(:ids) AND state = 'open' AND issued > 0 AND attempts = 0
          FOR UPDATE SKIP LOCKED) free, {_NOT_WAITING_FOR_THE_DISK}
    WHERE o.id = free.id RETURNING {_WORK}
""")

_SUSPECTS = sa.text(f"""
    SELECT o.id FROM outbox o, {_NOT_WAITING_FOR_THE_DISK}
    WHERE o.id = ANY(:ids) AND o.state = 'open' AND o.issued > 0 AND o.attempts > 0
    ORDER BY o.id FOR UPDATE OF o SKIP LOCKED
""")

_START_SUSPECT = sa.text(f"""
    UPDATE outbox o SET attempts = o.attempts + 1, started_at = clock_timestamp()
    FROM (SELECT id, started_at FROM outbox WHERE id = :id AND state = 'open' AND issued > 0 FOR UPDATE SKIP LOCKED) free,
         {_NOT_WAITING_FOR_THE_DISK}
    WHERE o.id = free.id RETURNING {_WORK}
""")

_HOLD = sa.text("""
    SELECT id FROM outbox WHERE id = ANY(:ids) AND state = 'open' AND issued > 0 AND attempts <= :most FOR UPDATE SKIP LOCKED
""")

_RETRY = sa.text("""
    UPDATE outbox o SET due_at = due.at, wanted_at = due.at, issued = 0, attempts = 0,
        begun = o.begun OR r.begun OR o.attempts > 1, failures = o.failures + r.counts, last_error = r.why
    FROM unnest(CAST(:ids AS bigint[]), CAST(:afters AS float8[]), CAST(:counts AS int[]), CAST(:begun AS bool[]),
                CAST(:whys AS text[])) AS r (id, after, counts, begun, why)
    CROSS JOIN LATERAL (SELECT clock_timestamp() + make_interval(secs => r.after) AS at) due
    WHERE o.id = r.id
""")

_PARK_ROWS = sa.text("""
    UPDATE outbox o SET state = 'parked', last_error = p.reason, begun = o.begun OR o.attempts > 0
    FROM unnest(CAST(:ids AS bigint[]), CAST(:reasons AS text[])) AS p (id, reason) WHERE o.id = p.id
""")

_PARK_RECORDS = sa.text("""
    WITH kept AS (
        INSERT INTO parked (queue, task, key, body, headers, reason, detail, attempts)
        SELECT o.queue, o.task, o.key, o.body, o.headers, p.reason, p.detail, o.attempts
        FROM unnest(CAST(:ids AS bigint[]), CAST(:reasons AS text[]), CAST(:details AS text[])) AS p (id, reason, detail)
        JOIN outbox o ON o.id = p.id
        RETURNING id, reason
    )
    INSERT INTO parked_audit (parked_id, actor, act, detail) SELECT id, 'worker', 'park', reason FROM kept
""")


def put(conn: sa.Connection, commands: Sequence[Command]) -> int:
    """Write the commands in the caller's transaction; how many were new. A key that is open already is left as it is."""
    if not commands:
        return 0
    rows = [
        {
            "key": c.key,
            "task": c.task,
            "queue": c.queue,
            "body": dict(c.body),
            "headers": dict(c.headers),
            "delay": c.delay_seconds,
            "begun": c.begun,
        }
        for c in commands
    ]
    written = conn.execute(_PUT, {"commands": json.dumps(rows)})
    return int(written.rowcount)


def start_fresh(conn: sa.Connection, ids: Sequence[int]) -> list[Work]:
    """Count a start of every command that was never started, and that nobody holds; oldest first. Commit before the first effect."""
    # What an update returns has no order of its own.
    return sorted((Work(*row) for row in conn.execute(_START_FRESH, {"ids": list(ids)})), key=lambda work: work.id)


def suspects(conn: sa.Connection, ids: Sequence[int]) -> list[int]:
    """The commands among these that were started before, have no outcome, and are held by nobody."""
    return [row.id for row in conn.execute(_SUSPECTS, {"ids": list(ids)})]


def start_suspect(conn: sa.Connection, command_id: int) -> Work | None:
    """Count one more start of one command; None when somebody holds or finished it. Commit before the effect."""
    row = conn.execute(_START_SUSPECT, {"id": command_id}).one_or_none()
    return Work(*row) if row else None


def hold(conn: sa.Connection, ids: Sequence[int], *, most_attempts: int = 2**31 - 1) -> set[int]:
    """Lock these rows until the transaction ends; the ones that could be had, and were not started more than `most_attempts` times.

    The lock is what keeps a second delivery out while the first one runs, and it goes with the connection of a worker that dies.
    """
    return {row.id for row in conn.execute(_HOLD, {"ids": list(ids), "most": most_attempts})}


def finish(conn: sa.Connection, outcomes: Mapping[int, Outcome]) -> None:
    """Record outcomes by command id, in the transaction that holds their rows."""
    done = [i for i, o in outcomes.items() if isinstance(o, Done)]
    retry = {i: o for i, o in outcomes.items() if isinstance(o, Retry)}
    park = {i: o for i, o in outcomes.items() if isinstance(o, Park)}
    if done:
        conn.execute(sa.text("DELETE FROM outbox WHERE id = ANY(:ids)"), {"ids": done})
    if retry:
        conn.execute(
            _RETRY,
            {
                "ids": list(retry),
                "afters": [o.after_seconds for o in retry.values()],
                "counts": [int(o.counts) for o in retry.values()],
                "begun": [o.begun for o in retry.values()],
                "whys": [storable.text(personal.scrub(o.why)) for o in retry.values()],
            },
        )
    if park:
        which = {"ids": list(park), "reasons": [o.reason for o in park.values()]}
        conn.execute(
            _PARK_RECORDS, {**which, "details": [storable.text(personal.scrub(o.detail)) for o in park.values()]}
        )
        conn.execute(_PARK_ROWS, which)
