"""What a run did, counted in its database: when it was over, and that both sides had the same effects."""

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

MAILS_PER_ORDER = 2

_MAILS = sa.text("SELECT count(*) FROM mails")
_LAST = sa.text("""
    SELECT greatest(max(o.updated_at), max(m.sent_at)) FROM orders o JOIN mails m ON m.order_id = o.id
    WHERE o.customer = :customer
""")
_EFFECTS = sa.text("""
    WITH mine AS (SELECT id AS order_id, state, total_minor, tracking_number FROM orders WHERE customer = :customer)
    SELECT count(*) AS orders,
           count(*) FILTER (WHERE state = 'shipped') AS shipped,
           sum(total_minor) AS total_minor,
           count(DISTINCT tracking_number) AS parcels,
           (SELECT count(*) FROM labels JOIN mine USING (order_id) WHERE substr(pdf, 1, 4) = '%PDF') AS labels,
           (SELECT count(*) FROM mails JOIN mine USING (order_id)) AS mails,
           (SELECT count(*) FROM timeline JOIN mine USING (order_id)) AS events,
           (SELECT sum(quantity) FROM stock_movements JOIN mine USING (order_id) WHERE kind = 'reserve') AS pieces_reserved,
           (SELECT sum(quantity) FROM stock_movements JOIN mine USING (order_id) WHERE kind = 'ship') AS pieces_shipped,
           (SELECT bool_and(reserved = 0) FROM stock) AS nothing_held
    FROM mine
""")


class Stuck(Exception):
    """A run did not come to its end."""


def mails(engine: sa.Engine) -> int:
    """How many mails were ever recorded as sent."""
    with engine.connect() as conn:
        return int(conn.execute(_MAILS).scalar_one())


def await_mails(engine: sa.Engine, count: int, *, within_seconds: float) -> None:
    """Return when so many mails are recorded; the last effect of an order is one. Raises Stuck."""
    if not _until(lambda: mails(engine) >= count, within_seconds):
        raise Stuck(f"{mails(engine)} of {count} mails after {within_seconds:.0f} s")


def last_effect(engine: sa.Engine, customer: str) -> float:
    """When the last of this customer's orders was shipped and told so, by the database's clock, in unix seconds."""
    with engine.connect() as conn:
        return float(conn.execute(_LAST, {"customer": customer}).scalar_one().timestamp())


def effects(engine: sa.Engine, customer: str) -> dict[str, Any]:
    """Every kind of effect, counted over this customer's orders."""
    with engine.connect() as conn:
        return {
            name: int(found) for name, found in conn.execute(_EFFECTS, {"customer": customer}).one()._mapping.items()
        }


def await_empty_outbox(engine: sa.Engine, *, within_seconds: float) -> None:
    """Return when no command is open. Raises Stuck."""

    def empty() -> bool:
        with engine.connect() as conn:
            return not conn.execute(sa.text("SELECT EXISTS (SELECT FROM outbox)")).scalar_one()

    if not _until(empty, within_seconds):
        raise Stuck(f"commands are still open after {within_seconds:.0f} s")


def _until(holds: Callable[[], bool], within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
