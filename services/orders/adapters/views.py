"""Reads for people and programs outside, each one statement and so one snapshot, except an order with what it waits for."""

from typing import Any

import sqlalchemy as sa

from orders.adapters import saga_json
from orders.domain.order import Line, Product
from orders.domain.saga import MailKind, Step
from orders.domain.views import Entry, Level, OrderSummary, OrderView, Waiting

_SUMMARY = """o.id::text, o.customer, o.state, o.currency, o.total_minor, o.saga, o.needs_attention, o.tracking_number,
           o.created_at, o.updated_at"""

_ORDER = sa.text(f"""
    SELECT {_SUMMARY}, o.email, o.name, o.address, o.reserve_until, l.lines
    FROM orders o
    CROSS JOIN LATERAL (
        SELECT json_agg(json_build_array(sku, quantity, unit_price_minor, amount_minor) ORDER BY line_no) AS lines
        FROM order_lines WHERE order_id = o.id
    ) l
    WHERE o.id = CAST(:id AS uuid)
""")

_WAITING = sa.text("""
    SELECT task, state, created_at, due_at, attempts, failures, last_error FROM outbox WHERE key = ANY(:keys) ORDER BY id
""")

_OWNER = sa.text("SELECT customer FROM orders WHERE id = CAST(:id AS uuid)")

_LIST = """
    SELECT {summary} FROM orders o WHERE {filters} ORDER BY o.created_at DESC, o.id DESC LIMIT :limit
"""

_TIMELINE = sa.text("""
    SELECT o.state, t.id, t.at, t.kind, t.detail FROM orders o
    LEFT JOIN LATERAL (
        SELECT id, at, kind, detail FROM timeline WHERE order_id = o.id AND id > :after ORDER BY id LIMIT :limit
    ) t ON true
    WHERE o.id = CAST(:id AS uuid) ORDER BY t.id
""")

_LABEL = sa.text("SELECT pdf FROM labels WHERE order_id = CAST(:id AS uuid)")

_LEVELS = """
    SELECT p.sku, p.name, p.price_minor, p.currency, s.on_hand, s.reserved FROM products p JOIN stock s USING (sku)
"""
_ONE_LEVEL = sa.text(f"{_LEVELS} WHERE p.sku = :sku")
_ALL_LEVELS = sa.text(f"{_LEVELS} WHERE p.sku > :after ORDER BY p.sku LIMIT :limit")


class PostgresViews:
    """Reads; see orders.ports.Views."""

    def __init__(self, conn: sa.Connection) -> None:
        self._conn = conn

    def order(self, order_id: str) -> OrderView | None:
        row = self._conn.execute(_ORDER, {"id": order_id}).one_or_none()
        if row is None:
            return None
        # Every key the order can have: an exact look into the index, in any collation.
        keys = [f"{order_id}/{step}" for step in (*Step, "label")] + [f"{order_id}/mail/{kind}" for kind in MailKind]
        return OrderView(
            _summary(row),
            email=row.email,
            name=row.name,
            address=row.address,
            reserve_until=row.reserve_until,
            lines=tuple(Line(*line) for line in row.lines or ()),
            waiting=tuple(Waiting(*command) for command in self._conn.execute(_WAITING, {"keys": keys})),
        )

    def owner(self, order_id: str) -> str | None:
        found: str | None = self._conn.execute(_OWNER, {"id": order_id}).scalar()
        return found

    def orders(self, *, customer: str | None, state: str | None, after: str | None, limit: int) -> list[OrderSummary]:
        filters = ["true"]
        if customer is not None:
            filters.append("o.customer = :customer")
        if state is not None:
            filters.append("o.state = :state")
        if after is not None:
            filters.append("(o.created_at, o.id) < (SELECT created_at, id FROM orders WHERE id = CAST(:after AS uuid))")
        query = sa.text(_LIST.format(summary=_SUMMARY, filters=" AND ".join(filters)))
        values = {"customer": customer, "state": state, "after": after, "limit": limit}
        rows = self._conn.execute(query, {k: v for k, v in values.items() if v is not None})
        return [_summary(row) for row in rows]

    def timeline(self, order_id: str, *, after: int, limit: int) -> tuple[str, list[Entry]]:
        rows = self._conn.execute(_TIMELINE, {"id": order_id, "after": after, "limit": limit}).all()
        if not rows:
            raise LookupError(order_id)
        return rows[0].state, [Entry(row.id, row.at, row.kind, row.detail) for row in rows if row.id is not None]

    def label(self, order_id: str) -> bytes | None:
        found: bytes | None = self._conn.execute(_LABEL, {"id": order_id}).scalar()
        return found

    def stock(self, *, sku: str | None = None, after: str = "", limit: int = 100) -> list[Level]:
        if sku is not None:
            rows = self._conn.execute(_ONE_LEVEL, {"sku": sku})
        else:
            rows = self._conn.execute(_ALL_LEVELS, {"after": after, "limit": limit})
        return [Level(Product(*row[:4]), row.on_hand, row.reserved) for row in rows]


def _summary(row: Any) -> OrderSummary:
    return OrderSummary(
        id=row.id,
        customer=row.customer,
        state=row.state,
        currency=row.currency,
        total_minor=row.total_minor,
        saga=saga_json.load(row.saga),
        needs_attention=row.needs_attention,
        tracking_number=row.tracking_number,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
