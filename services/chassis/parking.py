"""What could not be run, kept in the database until a person decides: run it again (`replay`) or not (`drop`).

Nothing here acknowledges a message: the caller does, after the commit. So a message may be parked twice, never not at all; a
second parking of the same delivery finds the first and changes nothing. Every act is written to `parked_audit` in its transaction.

A record with a `key` stands for an outbox command: its row waits in the outbox in state `parked`, and a replay opens it again.
Any other record stands for a message: a replay publishes it again, and that may happen twice if the process dies just after.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from chassis import advisory_locks, intake, outbox
from chassis.database import connect
from chassis.intake import Fault
from chassis.tables import outbox as outbox_table
from chassis.tables import parked, parked_audit

REASONS = ("unknown_task", "malformed", "poison", "permanent", "bug", "dead_letter")


@dataclass(frozen=True, slots=True)
class Record:
    """One parked piece of work; `body` is the keyword arguments, or `{"raw": base64}` of what could not be read."""

    id: int
    parked_at: datetime
    queue: str
    task: str
    key: str | None
    body: Mapping[str, Any]
    headers: Mapping[str, Any]
    reason: str
    detail: str
    attempts: int
    status: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """Which records are meant; everything given must hold, and no `ids` means any."""

    ids: Sequence[int] = ()
    task: str | None = None
    reason: str | None = None
    status: str = "parked"
    limit: int = 1000

    def conditions(self) -> Iterable[sa.ColumnElement[bool]]:
        """As SQL."""
        yield parked.c.status == self.status
        if self.ids:
            yield parked.c.id.in_(self.ids)
        if self.task is not None:
            yield parked.c.task == self.task
        if self.reason is not None:
            yield parked.c.reason == self.reason


Records = list[Record]
Acts = list[dict[str, Any]]
Publish = Callable[[Record], None]


@dataclass(frozen=True, slots=True)
class Parking:
    """Acts of one `actor` on what is parked; the caller brings the connection and commits."""

    actor: str
    publish: Publish | None = field(default=None)

    def park(
        self,
        conn: sa.Connection,
        *,
        queue: str,
        task: str,
        body: Mapping[str, Any] | bytes,
        reason: str,
        detail: str = "",
        key: str | None = None,
        headers: Mapping[str, Any] | None = None,
        attempts: int = 0,
    ) -> int | None:
        """Keep one piece of work; its id, or None when the same delivery is parked already. Raises ValueError for a new reason."""
        if reason not in REASONS:
            raise ValueError(f"reason {reason!r} is none of {', '.join(REASONS)}")
        told = dict(headers or {})
        if told.get("id") and _is_parked(conn, parked.c.headers["id"].astext == told["id"]):
            return None
        values = {
            "queue": queue, "task": task, "key": key, "headers": _storable(told), "reason": reason, "detail": _text(detail),
            "attempts": attempts, "body": {"raw": b64encode(body).decode()} if isinstance(body, bytes) else _storable(body),
        }  # fmt: skip
        record_id = conn.execute(parked.insert().values(values).returning(parked.c.id)).scalar_one()
        self._audit(conn, [record_id], "park", reason)
        return int(record_id)

    def list(self, conn: sa.Connection, choice: Choice) -> Records:
        """The records meant, oldest first."""
        query = parked.select().where(*choice.conditions()).order_by(parked.c.id).limit(choice.limit)
        return [Record(**row) for row in conn.execute(query).mappings()]

    def show(self, conn: sa.Connection, record_id: int) -> tuple[Record, Acts] | None:
        """One record, whatever its status, and what was done with it, oldest first; None when there is none."""
        row = conn.execute(parked.select().where(parked.c.id == record_id)).mappings().one_or_none()
        if row is None:
            return None
        acts = conn.execute(
            parked_audit.select().where(parked_audit.c.parked_id == record_id).order_by(parked_audit.c.id)
        )
        return Record(**row), [dict(act) for act in acts.mappings()]

    def replay(self, conn: sa.Connection, choice: Choice) -> Records:
        """Run the records meant again; the ones it was done for. What somebody else is acting on is left out."""
        records = self._claim(conn, choice)
        reopened = outbox_table.update().where(
            outbox_table.c.key.in_([record.key for record in records]), outbox_table.c.state == "parked"
        )
        conn.execute(reopened.values(state="open", due_at=sa.func.now(), attempts=0, failures=0, issued=0))
        for record in records:
            if record.key is None:
                if self.publish is None:
                    raise ValueError(f"record {record.id} is a message, and there is no broker to publish it to")
                self.publish(record)
        self._close(conn, records, "replayed")
        return records

    def drop(self, conn: sa.Connection, choice: Choice) -> Records:
        """Decide that the records meant are never run; the ones it was done for."""
        records = self._claim(conn, choice)
        keys = [record.key for record in records]
        conn.execute(outbox_table.delete().where(outbox_table.c.key.in_(keys), outbox_table.c.state == "parked"))
        self._close(conn, records, "dropped")
        return records

    def _claim(self, conn: sa.Connection, choice: Choice) -> Records:
        query = parked.select().where(*choice.conditions()).order_by(parked.c.id).limit(choice.limit)
        return [Record(**row) for row in conn.execute(query.with_for_update(skip_locked=True)).mappings()]

    def _close(self, conn: sa.Connection, records: Records, status: str) -> None:
        ids = [record.id for record in records]
        conn.execute(parked.update().where(parked.c.id.in_(ids)).values(status=status, updated_at=sa.func.now()))
        self._audit(conn, ids, status.removesuffix("ped").removesuffix("ed"), "")

    def _audit(self, conn: sa.Connection, ids: Sequence[int], act: str, detail: str) -> None:
        if ids:
            rows = [{"parked_id": i, "actor": self.actor, "act": act, "detail": detail} for i in ids]
            conn.execute(parked_audit.insert(), rows)


def engine_for(database_url: str) -> sa.Engine:
    """An engine for now and then: keeps no connection that a fork could inherit, and gives up on a database that is away.

    It works behind a pooler as well. A worker's event loop stands still while it parks, so a statement may not take long either.
    """
    return connect(database_url, pool_size=0, statement_timeout_seconds=10.0, pooler=True)


def park_message(database_url: str, message: Any, *, queue: str, found: Fault, actor: str = "worker") -> None:
    """Park what a message stands for and commit: the open outbox commands it names or, if it names none, the message itself."""
    kwargs = intake.contents(message)
    with engine_for(database_url).begin() as conn:
        if _park_commands(conn, (kwargs or {}).get("ids"), found):
            return
        told = {**message.headers, "_content_type": message.content_type, "_content_encoding": message.content_encoding}
        body = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
        Parking(actor).park(
            conn,
            queue=queue,
            task=str(message.headers.get("task") or "?"),
            body=kwargs if kwargs is not None and not message.payload[0] else body,
            headers=told,
            reason=found.reason,
            detail=found.detail,
        )


def park_entry(database_url: str, entry: bytes, *, queue: str) -> None:
    """Park an entry of a list that is no message at all, and commit; once while an equal one is parked."""
    with engine_for(database_url).begin() as conn:
        body = {"raw": b64encode(entry).decode()}
        if not _is_parked(conn, parked.c.queue == queue, parked.c.body == sa.cast(body, parked.c.body.type)):
            detail = "an entry of the list that is no message"
            Parking("collector").park(conn, queue=queue, task="?", body=entry, reason="malformed", detail=detail)


def park_failure(database_url: str, *, queue: str, task: str, kwargs: Any, reason: str, detail: str) -> None:
    """Park a task that failed and commit; once while an equal one is parked, so a task that fails every minute is one record."""
    with engine_for(database_url).begin() as conn:
        body = _storable(kwargs)
        if not _is_parked(
            conn, parked.c.task == task, parked.c.reason == reason, parked.c.body == sa.cast(body, parked.c.body.type)
        ):
            Parking("worker").park(conn, queue=queue, task=task, body=body, reason=reason, detail=detail)


def _park_commands(conn: sa.Connection, ids: Any, found: Fault) -> bool:
    """Park the outbox commands among `ids` that nobody is running; False when not one of them is open."""
    if not intake.are_ids(ids):
        return False
    held = outbox.hold(conn, ids)
    outbox.finish(conn, {i: outbox.Park(found.reason, found.detail) for i in held})
    known = sa.select(sa.func.count()).select_from(outbox_table).where(outbox_table.c.id.in_(ids))
    return conn.execute(known).scalar_one() > 0


def _is_parked(conn: sa.Connection, *conditions: sa.ColumnElement[bool]) -> bool:
    """Whether there is such a record; until the transaction ends nobody else is told that there is none."""
    conn.execute(sa.select(sa.func.pg_advisory_xact_lock(advisory_locks.PARKING)))
    return (
        conn.execute(sa.select(parked.c.id).where(parked.c.status == "parked", *conditions).limit(1)).first()
        is not None
    )


def _storable(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON that PostgreSQL takes: without NUL characters, and with a text for what JSON does not know."""
    stored: dict[str, Any] = json.loads(json.dumps(dict(values), default=str).replace("\\u0000", ""))
    return stored


def _text(value: str) -> str:
    return value.replace("\x00", "")[:20_000]
