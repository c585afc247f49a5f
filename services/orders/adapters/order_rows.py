"""A new order as rows: one statement for the order and all of its lines."""

import json
from typing import Any

import sqlalchemy as sa

from orders.adapters import saga_json
from orders.domain.order import Order

ADD = sa.text("""
    WITH added AS (
        INSERT INTO orders (id, customer, email, name, address, card, currency, total_minor, state, saga, reserve_until)
        VALUES (CAST(:id AS uuid), :customer, :email, :name, CAST(:address AS jsonb), :card, :currency, :total_minor, :state,
                CAST(:saga AS jsonb), now() + make_interval(secs => :reservation_seconds))
        ON CONFLICT (id) DO NOTHING RETURNING id
    )
    INSERT INTO order_lines (order_id, line_no, sku, quantity, unit_price_minor, amount_minor)
    SELECT added.id, l.line_no, l.sku, l.quantity, l.unit_price_minor, l.amount_minor
    FROM added, unnest(CAST(:skus AS text[]), CAST(:quantities AS bigint[]), CAST(:units AS bigint[]), CAST(:amounts AS bigint[]))
        WITH ORDINALITY AS l (sku, quantity, unit_price_minor, amount_minor, line_no)
""")


def values(order: Order, reservation_seconds: float) -> dict[str, Any]:
    """The parameters of ADD."""
    return {
        "id": order.id,
        "customer": order.customer.customer,
        "email": order.customer.email,
        "name": order.customer.name,
        "address": json.dumps(dict(order.customer.address)),
        "card": order.card,
        "currency": order.currency,
        "total_minor": order.total_minor,
        "state": order.saga.state,
        "saga": json.dumps(saga_json.dump(order.saga)),
        "reservation_seconds": reservation_seconds,
        "skus": [line.sku for line in order.lines],
        "quantities": [line.quantity for line in order.lines],
        "units": [line.unit_price_minor for line in order.lines],
        "amounts": [line.amount_minor for line in order.lines],
    }
