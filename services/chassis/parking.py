"""What could not be run, kept in the database until a person decides: run it again (`replay`) or not (`drop`).

Nothing here acknowledges a message: the caller does, after the commit. So a message may be parked twice, never not at all; a
second parking of the same delivery finds the first and changes nothing. Every act is written to `parked_audit` in its transaction.
Nothing that a message holds keeps it from being parked, and no record is longer than chassis.storable says.

A record with a `key` stands for an outbox command: its row waits in the outbox in state `parked`, and a replay opens it again.
Any other record stands for a message: a replay publishes it again, and that may happen twice if the process dies just after.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from chassis import advisory_locks, message_checks, outbox, personal, storable
from chassis.database import connect
from chassis.database_errors import Kind, kind_of
from chassis.envelope import MAX_NAME
from chassis.errors import ChassisError
from chassis.loggers import get_logger
from chassis.message_checks import Fault
from chassis.tables import outbox as outbox_table
from chassis.tables import parked, parked_audit

log = get_logger(__name__)

REASONS = ("unknown_task", "malformed", "poison", "permanent", "bug", "dead_letter")

DELIVERY = "_delivery"
"""The header of a record that tells which delivery it was made of."""

BRIEF_BYTES = 100_000
"""What is shown of the body of one record among many; `show` has all of it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One parked piece of work; `body` is the keyword arguments, or `{"raw": base64}` of what could not be read or kept as JSON."""

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


class Refused(ChassisError):
    """A record cannot be published as it came; says why."""


@dataclass(frozen=True, slots=True)
class Parking:
    """Acts of one `actor` on what is parked; the caller brings the connection and commits."""

    actor: str
    publish: Publish | None = field(default=None)
    refused: dict[int, str] = field(default_factory=dict, compare=False)

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
        delivery: str | None = None,
    ) -> int | None:
        """Keep one piece of work; its id, or None when the same delivery is parked already. Raises ValueError for a new reason.

        `delivery` is what tells one delivery of a message from another message (see chassis.storable.digest).
        """
        if reason not in REASONS:
            raise ValueError(f"reason {reason!r} is none of {', '.join(REASONS)}")
        if delivery is not None and _is_parked(conn, parked.c.headers[DELIVERY].astext == delivery):
            return None
        told = dict(headers or {})
        if not isinstance(body, bytes) and storable.body(body) is None:
            body, told = storable.as_message(task, (), body)
        values = {
            "queue": storable.text(queue, MAX_NAME), "task": storable.text(task, MAX_NAME), "key": key,
            "body": storable.raw_body(body) if isinstance(body, bytes) else storable.body(body),
            "headers": {**storable.headers(told), **({DELIVERY: delivery} if delivery is not None else {})},
            "reason": reason, "detail": storable.text(personal.scrub(detail)), "attempts": attempts,
        }  # fmt: skip
        record_id = conn.execute(parked.insert().values(values).returning(parked.c.id)).scalar_one()
        self._audit(conn, [record_id], "park", reason)
        return int(record_id)

    def list(self, conn: sa.Connection, choice: Choice) -> Records:
        """The records meant, oldest first; of a body longer than BRIEF_BYTES its length stands for it, as `{"bytes_kept": …}`."""
        query = _brief().where(*choice.conditions()).order_by(parked.c.id).limit(choice.limit)
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
        """Run the records meant again; the ones it was done for. What somebody else is acting on is left out.

        So is what cannot be published as it came; `refused` says why, by id.
        """
        records = self._claim(conn, choice)
        reopened = outbox_table.update().where(
            outbox_table.c.key.in_([record.key for record in records]), outbox_table.c.state == "parked"
        )
        conn.execute(
            reopened.values(
                state="open", due_at=sa.func.now(), wanted_at=sa.func.now(), attempts=0, failures=0, issued=0
            )
        )
        for record in records:
            if record.key is None:
                self._publish(conn, record)
        done = [record for record in records if record.id not in self.refused]
        self._close(conn, done, "replayed")
        return done

    def _publish(self, conn: sa.Connection, record: Record) -> None:
        if self.publish is None:
            raise ValueError(f"record {record.id} is a message, and there is no broker to publish it to")
        whole = conn.execute(sa.select(parked.c.body).where(parked.c.id == record.id)).scalar_one()
        try:
            self.publish(replace(record, body=whole))
        except Refused as error:
            self.refused[record.id] = str(error)

    def drop(self, conn: sa.Connection, choice: Choice) -> Records:
        """Decide that the records meant are never run; the ones it was done for."""
        records = self._claim(conn, choice)
        keys = [record.key for record in records]
        conn.execute(outbox_table.delete().where(outbox_table.c.key.in_(keys), outbox_table.c.state == "parked"))
        self._close(conn, records, "dropped")
        return records

    def _claim(self, conn: sa.Connection, choice: Choice) -> Records:
        query = _brief().where(*choice.conditions()).order_by(parked.c.id).limit(choice.limit)
        return [Record(**row) for row in conn.execute(query.with_for_update(skip_locked=True)).mappings()]

    def _close(self, conn: sa.Connection, records: Records, status: str) -> None:
        ids = [record.id for record in records]
        conn.execute(parked.update().where(parked.c.id.in_(ids)).values(status=status, updated_at=sa.func.now()))
        self._audit(conn, ids, status.removesuffix("ped").removesuffix("ed"), "")

    def _audit(self, conn: sa.Connection, ids: Sequence[int], act: str, detail: str) -> None:
        if ids:
            rows = [{"parked_id": i, "actor": self.actor, "act": act, "detail": detail} for i in ids]
            conn.execute(parked_audit.insert(), rows)


def _brief() -> sa.Select[Any]:
    """All columns, with no body so long that a thousand of them fill a memory."""
    length = sa.func.octet_length(sa.cast(parked.c.body, sa.Text))
    body = sa.case((length > BRIEF_BYTES, sa.func.jsonb_build_object("bytes_kept", length)), else_=parked.c.body)
    return sa.select(*(column for column in parked.c if column.name != "body"), body.label("body"))


@cache
def engine_for(database_url: str) -> sa.Engine:
    """The engine for now and then: keeps no connection that a fork could inherit, and gives up on a database that is away.

    It works behind a pooler as well. A worker's event loop stands still while it parks, so a statement may not take long either, and
    what an engine learns of its server and compiles is kept for the next time.
    """
    return connect(database_url, pool_size=0, statement_timeout_seconds=10.0, pooler=True)


def park_message(database_url: str, message: Any, *, queue: str, found: Fault, actor: str = "worker") -> None:
    """Park what a message stands for and commit: the open outbox commands it names or, if it names none, the message itself.

    Raises only for what is wrong with the database: what fails for another reason is parked once more, raw.
    """
    engine = engine_for(database_url)
    try:
        with engine.begin() as conn:
            kwargs = message_checks.contents(message)
            if not found.message_only and _park_commands(conn, message.headers, (kwargs or {}).get("ids"), found):
                return
            _park_message(conn, message, kwargs if message_checks.is_by_name(message) else None, queue, found, actor)
    except Exception as error:
        if kind_of(error) is not Kind.FAULT:
            raise  # the database is away or short of something, and it is not the message that it refuses
        log.warning("parked_raw", queue=queue, error=storable.escaped(str(error))[:300])
        with engine.begin() as conn:
            _park_message(conn, message, None, queue, found, actor)


def _park_message(
    conn: sa.Connection, message: Any, kwargs: Mapping[str, Any] | None, queue: str, found: Fault, actor: str
) -> None:
    raw = message.body or b""
    body = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else bytes(raw)
    told = message.headers if isinstance(message.headers, dict) else {"": message.headers}
    name = told.get("task")
    Parking(actor).park(
        conn,
        queue=queue,
        task=name if isinstance(name, str) and name else "?",
        body=body if kwargs is None or storable.body(kwargs) is None else kwargs,
        headers={**told, "_content_type": message.content_type, "_content_encoding": message.content_encoding},
        reason=found.reason,
        detail=found.detail,
        delivery=storable.digest(queue, told, body) if told.get("id") else None,
    )


def park_entry(database_url: str, entry: bytes, *, queue: str) -> None:
    """Park an entry of a list that is no message at all, and commit; once while an equal one is parked."""
    with engine_for(database_url).begin() as conn:
        body = storable.raw_body(entry)
        if not _is_parked(conn, parked.c.queue == queue, parked.c.body == sa.cast(body, parked.c.body.type)):
            detail = "an entry of the list that is no message"
            Parking("collector").park(conn, queue=queue, task="?", body=entry, reason="malformed", detail=detail)


def park_failure(
    database_url: str, *, queue: str, task: str, kwargs: Any, reason: str, detail: str, args: Sequence[Any] = ()
) -> None:
    """Park a task that failed and commit; once while an equal one is parked, so a task that fails every minute is one record."""
    body: Mapping[str, Any] | bytes = kwargs
    headers: Mapping[str, Any] = {}
    if args or storable.body(kwargs) is None:
        body, headers = storable.as_message(task, args, kwargs)
    kept = storable.raw_body(body) if isinstance(body, bytes) else body
    with engine_for(database_url).begin() as conn:
        if not _is_parked(
            conn, parked.c.task == task, parked.c.reason == reason, parked.c.body == sa.cast(kept, parked.c.body.type)
        ):
            Parking("worker").park(
                conn, queue=queue, task=task, body=body, reason=reason, detail=detail, headers=headers
            )


def _park_commands(conn: sa.Connection, headers: Any, ids: Any, found: Fault) -> bool:
    """Park the outbox commands of the message's task among `ids` that nobody is running; False when not one of them is open."""
    if not message_checks.are_ids(ids):
        return False
    meant = outbox_table.c.id == sa.any_(sa.cast(ids, sa.ARRAY(sa.BigInteger)))
    named = sa.select(outbox_table.c.id).where(meant, outbox_table.c.task == headers.get("task"))
    known = list(conn.execute(named).scalars())
    held = outbox.hold(conn, known)
    outbox.finish(conn, {i: outbox.Park(found.reason, storable.text(found.detail)) for i in held})
    return bool(known)


def _is_parked(conn: sa.Connection, *conditions: sa.ColumnElement[bool]) -> bool:
    """Whether there is such a record; until the transaction ends nobody else is told that there is none."""
    conn.execute(sa.select(sa.func.pg_advisory_xact_lock(advisory_locks.PARKING)))
    return (
        conn.execute(sa.select(parked.c.id).where(parked.c.status == "parked", *conditions).limit(1)).first()
        is not None
    )
