"""The rival's statements: the rows that the orders service writes, one order at a time."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from orders.ports import Mail

_READ = sa.text("SELECT * FROM orders WHERE id = :id")
_LINES = sa.text("SELECT sku, quantity, amount_minor FROM order_lines WHERE order_id = :id ORDER BY sku")
_HOLD = sa.text("UPDATE stock SET reserved = reserved + :pieces WHERE sku = :sku AND on_hand - reserved >= :pieces")
_SHIP = sa.text("UPDATE stock SET reserved = reserved - :pieces, on_hand = on_hand - :pieces WHERE sku = :sku")
_MOVEMENT = sa.text("INSERT INTO stock_movements (order_id, sku, kind, quantity) VALUES (:id, :sku, :kind, :pieces)")
_NOTE = sa.text("INSERT INTO timeline (order_id, kind, detail) VALUES (:id, :kind, CAST(:detail AS jsonb))")
_TRACKING = sa.text("UPDATE orders SET tracking_number = :number, updated_at = now() WHERE id = :id")
_LABEL = sa.text("INSERT INTO labels (order_id, tracking_number, pdf) VALUES (:id, :number, :pdf)")
_MAILED = sa.text("INSERT INTO mails (order_id, kind, message_id) VALUES (:id, :kind, :message_id)")
_STATUS = sa.text("UPDATE orders SET state = :status, updated_at = now() WHERE id = :id")


class OutOfStock(Exception):
    """Not enough on the shelf."""


def read(conn: sa.Connection, order_id: str) -> Any:
    """The order's row."""
    return conn.execute(_READ, {"id": order_id}).one()


def lines(conn: sa.Connection, order_id: str) -> Sequence[Any]:
    """The order's lines by SKU, the order in which stock is locked."""
    return conn.execute(_LINES, {"id": order_id}).all()


def reserve(conn: sa.Connection, order_id: str) -> None:
    """Hold every line's goods. Raises OutOfStock."""
    for line in lines(conn, order_id):
        if conn.execute(_HOLD, {"sku": line.sku, "pieces": line.quantity}).rowcount == 0:
            raise OutOfStock(line.sku)
        conn.execute(_MOVEMENT, {"id": order_id, "sku": line.sku, "kind": "reserve", "pieces": line.quantity})
    note(conn, order_id, "reserve_stock.done", {"state": "processing"})


def ship(conn: sa.Connection, order_id: str) -> None:
    """Take every line's goods out of the stock."""
    for line in lines(conn, order_id):
        conn.execute(_SHIP, {"sku": line.sku, "pieces": line.quantity})
        conn.execute(_MOVEMENT, {"id": order_id, "sku": line.sku, "kind": "ship", "pieces": line.quantity})


def note(conn: sa.Connection, order_id: str, kind: str, detail: dict[str, Any]) -> None:
    """A line of the timeline."""
    conn.execute(_NOTE, {"id": order_id, "kind": kind, "detail": json.dumps(detail)})


def keep_label(conn: sa.Connection, order_id: str, number: str, label: bytes) -> None:
    """The parcel's number and its label."""
    conn.execute(_TRACKING, {"id": order_id, "number": number})
    conn.execute(_LABEL, {"id": order_id, "number": number, "pdf": label})


def mail(conn: sa.Connection, order_id: str, kind: str) -> Mail:
    """The mail of this kind, with what the template shows."""
    order = read(conn, order_id)
    return Mail(
        message_id=f"<{kind}.{order_id}@shop.example>",
        order_id=order_id,
        kind=kind,
        to=order.email,
        name=order.name,
        detail={
            "order_id": order_id,
            "total_minor": order.total_minor,
            "currency": order.currency,
            "lines": [(line.quantity, line.sku, line.amount_minor) for line in lines(conn, order_id)],
            "tracking_number": order.tracking_number,
            "reason": order.reason,
        },
    )


def remember_mail(conn: sa.Connection, sent: Mail) -> None:
    """The mail was taken by the server."""
    conn.execute(_MAILED, {"id": sent.order_id, "kind": sent.kind, "message_id": sent.message_id})


def set_status(conn: sa.Connection, order_id: str, status: str) -> None:
    """The order's state."""
    conn.execute(_STATUS, {"id": order_id, "status": status})
