"""The recovery list: orders that a database had which is given up, as JSON lines, so that they can be placed again in the one restored.

It holds names, addresses and card tokens: whoever writes it to a file keeps that file to themselves.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orders.adapters.store import PostgresOrderStore
from orders.domain.order import Customer, Line, Order
from orders.domain.reconciliation import Listed
from orders.domain.saga import Saga, Stop

_KEYS = sa.text("""
    SELECT o.id::text, k.customer, k.key, k.digest, m.mails FROM orders o JOIN intake_keys k ON k.order_id = o.id
    CROSS JOIN LATERAL (
        SELECT coalesce(json_agg(json_build_array(kind, message_id) ORDER BY sent_at), '[]') AS mails FROM mails WHERE order_id = o.id
    ) m
    WHERE o.updated_at >= :since ORDER BY o.created_at, o.id
""")
BATCH = 500


def read(conn: sa.Connection, since: datetime) -> Iterator[Listed]:
    """Orders that were accepted or changed since then, oldest first."""
    rows = conn.execute(_KEYS, {"since": since}).all()
    for start in range(0, len(rows), BATCH):
        page = rows[start : start + BATCH]
        orders = PostgresOrderStore(conn).orders([row.id for row in page])
        for row in page:
            order = orders[row.id]
            cancelled = order.saga.stop is Stop.CANCELLED
            yield Listed(order, row.customer, row.key, row.digest, cancelled, order.saga.reason, _pairs(row.mails))


def dumped(listed: Listed) -> str:
    """One line."""
    order, to = listed.order, listed.order.customer
    told = {
        "order_id": order.id,
        "scope": listed.scope,
        "key": listed.key,
        "digest": listed.digest,
        "cancelled": listed.cancelled,
        "reason": listed.reason,
        "mails": listed.mails,
        "customer": [to.customer, to.email, to.name, dict(to.address)],
        "card": order.card,
        "currency": order.currency,
        "total_minor": order.total_minor,
        "lines": [[line.sku, line.quantity, line.unit_price_minor, line.amount_minor] for line in order.lines],
    }
    return json.dumps(told)


def loaded(lines: Iterable[str]) -> Iterator[Listed]:
    """The list again. Raises ValueError naming the line that cannot be read."""
    for number, line in enumerate(lines, 1):
        try:
            yield _listed(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"line {number} of the recovery list cannot be read: {error!r}") from error


def _listed(told: dict[str, Any]) -> Listed:
    order = Order(
        id=told["order_id"],
        customer=Customer(*told["customer"]),
        card=told["card"],
        currency=told["currency"],
        total_minor=told["total_minor"],
        lines=tuple(Line(*line) for line in told["lines"]),
        saga=Saga(),
    )
    return Listed(
        order, told["scope"], told["key"], told["digest"], told["cancelled"], told["reason"], _pairs(told["mails"])
    )


def _pairs(mails: Iterable[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((kind, message_id) for kind, message_id in mails)
