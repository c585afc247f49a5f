"""The intake side of the orders in PostgreSQL (SQLAlchemy Core). Nothing here waits for ever: the engine bounds connecting and every
statement, and what fails for the database's sake becomes StoreUnavailable.
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chassis.database_errors import ERRORS, READ_ONLY, Kind, kind_of, sqlstate
from orders.adapters import order_rows
from orders.adapters.store import RECORD_MAIL, PostgresOrderStore
from orders.adapters.views import PostgresViews
from orders.domain.order import Order, Product
from orders.domain.views import KeyUse, Receipt
from orders.ports import StoreUnavailable

_CLAIM = sa.text("""
    INSERT INTO intake_keys (customer, key, digest, order_id) VALUES (:scope, :key, :digest, CAST(:order_id AS uuid))
    ON CONFLICT (customer, key) DO NOTHING
""")

_CLAIMED = sa.text("""
    SELECT k.digest, o.id::text, o.total_minor, o.currency FROM intake_keys k JOIN orders o ON o.id = k.order_id
    WHERE k.customer = :scope AND k.key = :key
""")

_OPEN_ORDERS = sa.text("""
    SELECT count(*) FROM (
        SELECT FROM orders WHERE customer = :customer AND state NOT IN ('delivered', 'cancelled', 'failed') LIMIT :at_most
    ) counted
""")

_BACKLOG = sa.text("SELECT count(*) FROM (SELECT FROM outbox WHERE state = 'open' LIMIT :at_most) counted")

_CATALOGUE = sa.text("SELECT sku, name, price_minor, currency FROM products WHERE sku = ANY(:skus)")

_REMEMBER = sa.text("""
    INSERT INTO carrier_events (event_id, tracking_number, kind, at) VALUES (:event_id, :tracking_number, :kind, :at)
    ON CONFLICT (event_id) DO NOTHING
""")

_PARCEL = sa.text("SELECT id::text FROM orders WHERE tracking_number = :tracking_number")

# Said by a change of the order, or by its open step, of which no change tells yet.
_WENT_WRONG = sa.text("""
    SELECT o.saga->'went_wrong' IS NOT NULL OR EXISTS (
        SELECT FROM outbox c WHERE c.key = o.id || '/' || (o.saga->>'open') AND (c.last_error IS NOT NULL OR c.attempts > 1)
    ) FROM orders o WHERE o.id = CAST(:order_id AS uuid)
""")

_PRODUCT = sa.text("""
    INSERT INTO products (sku, name, price_minor, currency) VALUES (:sku, :name, :price_minor, :currency)
    ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price_minor = excluded.price_minor, currency = excluded.currency
""")

_STOCK = sa.text("INSERT INTO stock (sku, on_hand) VALUES (:sku, 0) ON CONFLICT (sku) DO NOTHING")

_MOVEMENT = sa.text("""
    INSERT INTO stock_movements (sku, order_id, kind, quantity)
    SELECT sku, CAST(:delivery_id AS uuid), 'restock', :pieces FROM stock WHERE sku = :sku
    ON CONFLICT (order_id, sku, kind) DO NOTHING
""")

_RESTOCK = sa.text("UPDATE stock SET on_hand = on_hand + :pieces WHERE sku = :sku")


class PostgresIntake(PostgresOrderStore):
    """What comes in, inside one transaction; see orders.ports.IntakeTransaction."""

    def claim(self, scope: str, key: str, digest: str, order_id: str) -> KeyUse | None:
        use = {"scope": scope, "key": key, "digest": digest, "order_id": order_id}
        # Waits for a transaction that is inserting the same key, and sees what it committed.
        if self._conn.execute(_CLAIM, use).rowcount:
            return None
        row = self._conn.execute(_CLAIMED, use).one()
        return KeyUse(row.digest, Receipt(row.id, row.total_minor, row.currency))

    def open_orders(self, customer: str, at_most: int) -> int:
        return int(self._conn.execute(_OPEN_ORDERS, {"customer": customer, "at_most": at_most}).scalar_one())

    def backlog(self, at_most: int) -> int:
        return int(self._conn.execute(_BACKLOG, {"at_most": at_most}).scalar_one())

    def catalogue(self, skus: Sequence[str]) -> dict[str, Product]:
        return {row.sku: Product(*row) for row in self._conn.execute(_CATALOGUE, {"skus": list(skus)})}

    def add(self, order: Order, reservation_seconds: float) -> bool:
        # Every order has lines, and they are what is counted.
        return self._conn.execute(order_rows.ADD, order_rows.values(order, reservation_seconds)).rowcount > 0

    def remember_mails(self, order_id: str, mails: Sequence[tuple[str, str]]) -> None:
        if mails:
            self._conn.execute(RECORD_MAIL, [{"order_id": order_id, "kind": k, "message_id": m} for k, m in mails])

    def remember_callback(self, event_id: str, tracking_number: str, kind: str, at: datetime) -> bool:
        event = {"event_id": event_id, "tracking_number": tracking_number, "kind": kind, "at": at}
        return self._conn.execute(_REMEMBER, event).rowcount == 1

    def went_wrong(self, order_id: str) -> bool:
        return bool(self._conn.execute(_WENT_WRONG, {"order_id": order_id}).scalar())

    def order_of_parcel(self, tracking_number: str) -> str | None:
        found: str | None = self._conn.execute(_PARCEL, {"tracking_number": tracking_number}).scalar()
        return found

    def put_product(self, product: Product) -> bool:
        self._conn.execute(
            _PRODUCT,
            {
                "sku": product.sku,
                "name": product.name,
                "price_minor": product.price_minor,
                "currency": product.currency,
            },
        )
        return self._conn.execute(_STOCK, {"sku": product.sku}).rowcount == 1

    def restock(self, sku: str, pieces: int, delivery_id: str | None) -> bool:
        arrival = {"sku": sku, "pieces": pieces, "delivery_id": delivery_id}
        if self._conn.execute(_MOVEMENT, arrival).rowcount:
            return self._conn.execute(_RESTOCK, arrival).rowcount == 1
        return bool(self._conn.execute(sa.text("SELECT 1 FROM stock WHERE sku = :sku"), arrival).scalar())


class PostgresIntakeStore:
    """Opens transactions on an engine; see orders.ports.IntakeStore."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @contextlib.contextmanager
    def begin(self) -> Iterator[PostgresIntake]:
        with _answering(), self._engine.begin() as conn:
            yield PostgresIntake(conn)

    @contextlib.contextmanager
    def read(self) -> Iterator[PostgresViews]:
        with _answering(), self._engine.connect() as conn:
            yield PostgresViews(conn)

    def ping(self) -> None:
        with _answering(), self._engine.connect() as conn:
            conn.execute(sa.text("SELECT 1"))


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Turns what the database could not do into StoreUnavailable; what it refused stays as it is, for it is a bug."""
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable("every connection to the database is in use", retry_after_seconds=1.0) from error
    except ERRORS as error:
        if kind_of(error) is Kind.FAULT:
            raise
        why = "takes no changes now" if sqlstate(error) == READ_ONLY else "does not answer"
        raise StoreUnavailable(f"the database {why}", retry_after_seconds=1.0) from error
