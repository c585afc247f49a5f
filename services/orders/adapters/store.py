"""The step side of the orders in PostgreSQL: one transaction, statements on whole batches (SQLAlchemy Core; arrays in, sets out).

Locks are taken in one order everywhere, orders by id and then stock by SKU, so that two batches cannot wait for each other.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa

from chassis import outbox
from chassis.database import persist
from chassis.database_errors import Kind, kind_of
from chassis.errors import Permanent
from chassis.outbox import Command
from orders.adapters import saga_json
from orders.domain.errors import StockExhausted
from orders.domain.order import Customer, Line, Order
from orders.domain.saga import Saga
from orders.ports import Change, Event, Mail

_ORDERS = sa.text("""
    SELECT o.id::text, o.customer, o.email, o.name, o.address, o.card, o.currency, o.total_minor, o.saga, o.tracking_number,
           o.needs_attention, extract(epoch FROM clock_timestamp() - o.created_at)::float8 AS age_seconds, l.lines
    FROM orders o
    CROSS JOIN LATERAL (
        SELECT json_agg(json_build_array(sku, quantity, unit_price_minor, amount_minor) ORDER BY line_no) AS lines
        FROM order_lines WHERE order_id = o.id
    ) l
    WHERE o.id = ANY(CAST(:ids AS uuid[]))
""")

_LOCK = sa.text("SELECT id::text, saga FROM orders WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE")

# Rows as one JSON value: the driver escapes an array's items one by one, at several times the cost. What went wrong stands in the saga's
# JSON, where the saga itself does not read it, because it decides nothing of the order.
_SAVE = sa.text("""
    UPDATE orders o SET state = c.state, reason = c.reason, needs_attention = c.attention,
        tracking_number = coalesce(c.tracking, o.tracking_number), updated_at = now(),
        saga = CASE WHEN c.wrong OR o.saga->'went_wrong' IS NOT NULL THEN c.saga || jsonb_build_object('went_wrong', true) ELSE c.saga END
    FROM json_to_recordset(CAST(:changes AS json))
        AS c (id uuid, saga jsonb, state text, reason text, attention text, tracking text, wrong bool)
    WHERE o.id = c.id
""")

_NOTE = sa.text("""
    INSERT INTO timeline (order_id, at, kind, detail)
    SELECT e.id, clock_timestamp(), e.kind, e.detail
    FROM ROWS FROM (json_to_recordset(CAST(:events AS json)) AS (id uuid, kind text, detail jsonb)) WITH ORDINALITY
        AS e (id, kind, detail, n) ORDER BY e.n
""")

_STOCK = sa.text("SELECT sku, on_hand - reserved AS free FROM stock WHERE sku = ANY(:skus) ORDER BY sku FOR UPDATE")

_MOVE = sa.text("""
    WITH moved AS (
        INSERT INTO stock_movements (order_id, sku, kind, quantity)
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:skus AS text[]), CAST(:kinds AS text[]), CAST(:quantities AS bigint[]))
        ON CONFLICT (order_id, sku, kind) DO NOTHING RETURNING sku, quantity
    ), total AS (SELECT sku, sum(quantity) AS quantity FROM moved GROUP BY sku)
    UPDATE stock s SET reserved = s.reserved + :reserve * t.quantity, on_hand = s.on_hand + :hand * t.quantity
    FROM total t WHERE s.sku = t.sku
""")

_RESERVED = sa.text("""
    SELECT order_id::text, sku, quantity FROM stock_movements
    WHERE order_id = ANY(CAST(:ids AS uuid[])) AND kind = 'reserve' ORDER BY sku, order_id
""")

_LABELS = sa.text("""
    INSERT INTO labels (order_id, tracking_number, pdf)
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:trackings AS text[]), CAST(:pdfs AS bytea[])) ON CONFLICT DO NOTHING
""")

_MAILED = sa.text("""
    SELECT m.order_id::text, m.kind FROM mails m
    JOIN unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[])) AS w (order_id, kind) USING (order_id, kind)
""")

NOW = sa.text("SELECT now()")

_EXPIRED = sa.text("""
    SELECT id::text, saga FROM orders
    WHERE reserve_until < :now AND state IN ('pending', 'processing') AND saga->>'stop' IS NULL
    ORDER BY reserve_until LIMIT :limit FOR UPDATE SKIP LOCKED
""")

_STRANDED = sa.text("""
    SELECT o.id::text, o.saga FROM orders o
    WHERE o.state NOT IN ('delivered', 'cancelled', 'failed') AND o.saga->>'open' IS NOT NULL AND o.updated_at < :before
      AND NOT EXISTS (SELECT FROM outbox c WHERE c.key = o.id || '/' || (o.saga->>'open'))
    ORDER BY o.id LIMIT :limit FOR UPDATE SKIP LOCKED
""")

_UNNOTICED = sa.text("""
    SELECT o.id::text, o.saga, p.task || ' was parked as ' || p.reason AS why FROM orders o
    JOIN outbox c ON c.body->>'order' = o.id::text JOIN parked p ON p.key = c.key AND p.status = 'parked'
    WHERE c.state = 'parked' AND o.needs_attention IS NULL
    ORDER BY o.id LIMIT :limit FOR UPDATE OF o SKIP LOCKED
""")


class PostgresOrderStore:
    """The orders inside one transaction; see orders.ports.OrderStore."""

    def __init__(self, conn: sa.Connection) -> None:
        self._conn = conn

    def orders(self, ids: Sequence[str]) -> dict[str, Order]:
        return {
            row.id: Order(
                id=row.id,
                customer=Customer(row.customer, row.email, row.name, row.address),
                card=row.card,
                currency=row.currency,
                total_minor=row.total_minor,
                lines=tuple(Line(*line) for line in row.lines or ()),
                saga=saga_json.load(row.saga),
                tracking_number=row.tracking_number,
                needs_attention=row.needs_attention,
                age_seconds=row.age_seconds,
            )
            for row in self._conn.execute(_ORDERS, {"ids": list(ids)})
        }

    def lock(self, ids: Sequence[str]) -> dict[str, Saga]:
        return self._sagas(_LOCK, {"ids": list(ids)})

    def save(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        rows = [
            {
                "id": c.order_id,
                "saga": saga_json.dump(c.saga),
                "state": c.saga.state,
                "reason": c.saga.reason,
                "attention": c.needs_attention,
                "tracking": c.tracking_number,
                "wrong": c.went_wrong,
            }
            for c in changes
        ]
        try:
            self._conn.execute(_SAVE, {"changes": json.dumps(rows)})
        except sa.exc.IntegrityError as error:
            if getattr(getattr(error.orig, "diag", None), "constraint_name", None) != "orders_by_tracking":
                raise
            # What would be voided or handed over by it is somebody else's.
            raise Permanent(f"the carrier gave a tracking number twice: {str(error.orig).splitlines()[-1]}") from error

    def put(self, commands: Sequence[Command]) -> None:
        outbox.put(self._conn, commands)

    def note(self, events: Sequence[Event]) -> None:
        if events:
            rows = [{"id": e.order_id, "kind": e.kind, "detail": e.detail} for e in events]
            self._conn.execute(_NOTE, {"events": json.dumps(rows)})

    def reserve(self, pieces: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
        skus = sorted({sku for wanted in pieces.values() for sku in wanted})
        free = {row.sku: int(row.free) for row in self._conn.execute(_STOCK, {"skus": skus})}
        refused: dict[str, str] = {}
        moves: list[tuple[str, str, int]] = []
        for order_id, wanted in pieces.items():
            short = next((sku for sku, asked in wanted.items() if free.get(sku, 0) < asked), None)
            if short is not None:
                refused[order_id] = str(StockExhausted(short, free.get(short, 0), wanted[short]))
                continue
            for sku, asked in wanted.items():
                free[sku] -= asked
                moves.append((order_id, sku, asked))
        self._move("reserve", moves, reserve=1, hand=0)
        return refused

    def release(self, order_ids: Sequence[str]) -> None:
        self._move("release", self._reserved(order_ids), reserve=-1, hand=0)

    def ship(self, order_ids: Sequence[str]) -> None:
        self._move("ship", self._reserved(order_ids), reserve=-1, hand=-1)

    def keep_labels(self, labels: Mapping[str, tuple[str, bytes]]) -> None:
        if labels:
            self._conn.execute(
                _LABELS,
                {
                    "ids": list(labels),
                    "trackings": [tracking for tracking, _ in labels.values()],
                    "pdfs": [pdf for _, pdf in labels.values()],
                },
            )

    def mailed(self, wanted: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        rows = self._conn.execute(
            _MAILED, {"ids": [order for order, _ in wanted], "kinds": [kind for _, kind in wanted]}
        )
        return {(row.order_id, row.kind) for row in rows}

    def now(self) -> datetime:
        moment: datetime = self._conn.execute(NOW).scalar_one()
        return moment

    def expired(self, now: datetime, limit: int) -> dict[str, Saga]:
        return self._sagas(_EXPIRED, {"now": now, "limit": limit})

    def stranded(self, before: datetime, limit: int) -> dict[str, Saga]:
        return self._sagas(_STRANDED, {"before": before, "limit": limit})

    def unnoticed(self, limit: int) -> dict[str, tuple[Saga, str]]:
        rows = self._conn.execute(_UNNOTICED, {"limit": limit})
        return {row.id: (saga_json.load(row.saga), row.why) for row in rows}

    def _sagas(self, query: sa.TextClause, values: Mapping[str, object]) -> dict[str, Saga]:
        return {row.id: saga_json.load(row.saga) for row in self._conn.execute(query, values)}

    def _reserved(self, order_ids: Sequence[str]) -> list[tuple[str, str, int]]:
        if not order_ids:
            return []
        moves = [(r.order_id, r.sku, r.quantity) for r in self._conn.execute(_RESERVED, {"ids": list(order_ids)})]
        # Lock the stock rows in SKU order before the update touches them in any.
        self._conn.execute(_STOCK, {"skus": sorted({sku for _, sku, _ in moves})})
        return moves

    def _move(self, kind: str, moves: Sequence[tuple[str, str, int]], *, reserve: int, hand: int) -> None:
        if moves:
            self._conn.execute(
                _MOVE,
                {
                    "ids": [order_id for order_id, _, _ in moves],
                    "skus": [sku for _, sku, _ in moves],
                    "kinds": [kind] * len(moves),
                    "quantities": [quantity for _, _, quantity in moves],
                    "reserve": reserve,
                    "hand": hand,
                },
            )


RECORD_MAIL = sa.text("""
    INSERT INTO mails (order_id, kind, message_id) VALUES (CAST(:order_id AS uuid), :kind, :message_id) ON CONFLICT DO NOTHING
""")


RECORD_PATIENCE_SECONDS = 15.0
"""How long a database that is unavailable is waited for before a mail goes unrecorded; a batch's other mails wait meanwhile."""


class PostgresMailLog:
    """Records sent mails one by one; see orders.ports.MailLog."""

    def __init__(self, engine: sa.Engine) -> None:
        """`engine` not durable: every wait widens the gap that a kill can hit, and repeats the mail.

        Losing a record to a crash of the database server repeats a mail too, which is far rarer than kills.
        """
        self._engine = engine

    @contextmanager
    def recording(self, mail: Mail) -> Iterator[None]:
        # The record is written before the mail is handed in and committed after it: a transaction that began before the database became
        # read-only may still commit.
        taken = False
        try:
            with self._engine.begin() as conn:
                self._insert(conn, mail)
                yield
                taken = True
        except Exception as error:
            if not taken or kind_of(error) is Kind.INTERRUPTED:
                raise
            # The connection was lost. Unrecorded, the mail would be sent again.
            persist(lambda: self._insert_anew(mail), patience_seconds=RECORD_PATIENCE_SECONDS)

    def _insert_anew(self, mail: Mail) -> None:
        with self._engine.begin() as conn:
            self._insert(conn, mail)

    @staticmethod
    def _insert(conn: sa.Connection, mail: Mail) -> None:
        conn.execute(RECORD_MAIL, {"order_id": mail.order_id, "kind": mail.kind, "message_id": mail.message_id})
