"""What became of each attempt at an outbox command, told by the database itself: a trigger writes down every change of a command's row.

No worker knows of it, so what it tells can be held against what workers tell of themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

_TRIGGER = """
    CREATE TABLE told_changes (
        n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
        xid bigint NOT NULL DEFAULT txid_current(), before jsonb, after jsonb
    );
    CREATE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO told_changes (before, after) VALUES (to_jsonb(OLD), to_jsonb(NEW)); RETURN NULL; END';
    CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION tell_change();
"""
# Delivered, on its way, handed over: what the carrier told, as the API recorded it.
_CALLBACKS = (
    "SELECT order_id::text, extract(epoch FROM at)::float8 FROM timeline WHERE kind LIKE 'carrier.%' ORDER BY id"
)


@dataclass(slots=True)
class Attempt:
    """One start of a command. Times are seconds since the epoch, `transaction` the one that wrote the outcome."""

    order: str
    task: str
    key: str
    number: int
    starts: int
    """Without an outcome, this one included: 1 unless the attempt before died."""
    tried: bool
    """Whether an earlier attempt at the same command ended without being done."""
    waited_seconds: float
    started: float
    born: float
    cause: int
    """The transaction that wrote the command."""
    outcome: str = ""
    """`done`, `retry`, `park`, or `died`; empty while it has none."""
    ended: float = 0.0
    transaction: int = 0
    counts: bool = False
    """Whether it used up patience."""


def watch(url: str) -> None:
    """Begin to write down what happens to commands."""
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(_TRIGGER)


def attempts(url: str) -> list[Attempt]:
    """Every attempt since then, in the order in which they began."""
    with psycopg.connect(url) as database:
        rows = database.execute(
            "SELECT xid, extract(epoch FROM at)::float8, before, after FROM told_changes ORDER BY n"
        ).fetchall()
    histories: dict[int, list[tuple[int, float, Any, Any]]] = {}
    for row in rows:
        histories.setdefault((row[3] or row[2])["id"], []).append(row)
    return sorted((one for history in histories.values() for one in _of_one(history)), key=lambda one: one.started)


def callbacks(url: str) -> Sequence[tuple[str, float]]:
    """Which order each callback of the carrier was about, and when it was taken."""
    with psycopg.connect(url) as database:
        return database.execute(_CALLBACKS).fetchall()


def _of_one(history: Sequence[tuple[int, float, Any, Any]]) -> list[Attempt]:
    """The attempts at one command, from the changes of its row."""
    found: list[Attempt] = []
    cause, born, _, _ = history[0]
    for transaction, at, before, after in history:
        running = found[-1] if found and not found[-1].outcome else None
        if before is None:
            continue
        if after is not None and after["attempts"] > before["attempts"]:
            if running is not None:
                running.outcome, running.ended = "died", at
            due, started = after["wanted_at"] or after["created_at"], after["started_at"]
            found.append(
                Attempt(
                    str(after["body"].get("order")),
                    after["task"],
                    after["key"],
                    after["failures"] + after["attempts"],
                    after["attempts"],
                    bool(found),
                    (datetime.fromisoformat(started) - datetime.fromisoformat(due)).total_seconds(),
                    datetime.fromisoformat(started).timestamp(),
                    born,
                    cause,
                )
            )
        elif running is not None and (ended := _outcome(before, after)):
            running.outcome, running.ended, running.transaction = ended, at, transaction
            running.counts = after is not None and after["failures"] > before["failures"]
    return found


def _outcome(before: Any, after: Any) -> str:
    """What a change of a row says of how the attempt ended; empty when nothing."""
    if after is None:
        return "done"
    if after["state"] != before["state"]:
        return "park"
    return "retry" if after["attempts"] == 0 and before["attempts"] > 0 else ""
