"""Worlds for the order store: one in memory, one in PostgreSQL, with the same ways to arrange and to look."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from chassis import outbox
from fakes.order_making import make_order
from fakes.orders_world import MemoryDatabase, MemoryMailLog, MemoryOrderStore
from orders.adapters import order_rows
from orders.adapters.store import PostgresMailLog, PostgresOrderStore
from orders.domain.order import Order
from orders.domain.saga import Saga
from orders.ports import MailLog
from orders.usecases.upkeep import OverdueStore


class World(ABC):
    """What a test may arrange, do and look at, whatever keeps the orders."""

    mail_log: MailLog

    @abstractmethod
    def begin(self) -> AbstractContextManager[OverdueStore]:
        """A transaction, undone when its block raises."""

    @abstractmethod
    def add(self, order: Order, *, reserved_for: timedelta = timedelta(minutes=15)) -> str:
        """An accepted order; its id."""

    @abstractmethod
    def stock(self, **pieces: int) -> None:
        """So many pieces of each product on hand."""

    @abstractmethod
    def free(self, sku: str) -> int:
        """Pieces that nobody holds."""

    @abstractmethod
    def commands(self) -> list[str]:
        """Keys of the open commands, in the order they were put."""

    @abstractmethod
    def park(self, key: str, reason: str) -> None:
        """Put a command aside as a worker does that cannot read its message."""

    @abstractmethod
    def timeline(self, order_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Kinds and details of an order's events, in order."""

    @abstractmethod
    def label(self, order_id: str) -> tuple[str, bytes] | None:
        """Tracking number and PDF."""

    def new(self, saga: Saga | None = None, **values: Any) -> str:
        """An order of its own id."""
        return self.add(make_order(str(uuid.uuid4()), saga, **values))

    def order(self, order_id: str) -> Order:
        with self.begin() as store:
            return store.orders([order_id])[order_id]


class MemoryWorld(World):
    def __init__(self) -> None:
        self._db = MemoryDatabase()
        self.mail_log = MemoryMailLog(self._db)

    @contextmanager
    def begin(self) -> Iterator[OverdueStore]:
        before = self._db.snapshot()
        try:
            yield MemoryOrderStore(self._db)
        except BaseException:
            self._db.restore(before)
            raise

    def add(self, order: Order, *, reserved_for: timedelta = timedelta(minutes=15)) -> str:
        self._db.orders[order.id] = order
        self._db.reserve_until[order.id] = datetime.now(UTC) + reserved_for
        self._db.updated_at[order.id] = datetime.now(UTC)
        return order.id

    def stock(self, **pieces: int) -> None:
        self._db.free.update(pieces)

    def free(self, sku: str) -> int:
        return self._db.free[sku]

    def commands(self) -> list[str]:
        return list(self._db.commands)

    def park(self, key: str, reason: str) -> None:
        self._db.parked[key] = reason

    def timeline(self, order_id: str) -> list[tuple[str, dict[str, Any]]]:
        return [(e.kind, e.detail) for e in self._db.timeline if e.order_id == order_id]

    def label(self, order_id: str) -> tuple[str, bytes] | None:
        return self._db.labels.get(order_id)


class PostgresWorld(World):
    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self.mail_log = PostgresMailLog(engine)

    @contextmanager
    def begin(self) -> Iterator[OverdueStore]:
        with self._engine.begin() as conn:
            yield PostgresOrderStore(conn)

    def add(self, order: Order, *, reserved_for: timedelta = timedelta(minutes=15)) -> str:
        with self._engine.begin() as conn:
            conn.execute(order_rows.ADD, order_rows.values(order, reserved_for.total_seconds()))
        return order.id

    def stock(self, **pieces: int) -> None:
        for sku, n in pieces.items():
            self._rows("INSERT INTO products VALUES (:sku, :sku, 250, 'EUR') RETURNING sku", sku=sku)
            self._rows("INSERT INTO stock (sku, on_hand) VALUES (:sku, :n) RETURNING sku", sku=sku, n=n)

    def free(self, sku: str) -> int:
        return int(self._rows("SELECT on_hand - reserved AS n FROM stock WHERE sku = :sku", sku=sku)[0].n)

    def commands(self) -> list[str]:
        return [row.key for row in self._rows("SELECT key FROM outbox ORDER BY id")]

    def park(self, key: str, reason: str) -> None:
        ids = [row.id for row in self._rows("SELECT id FROM outbox WHERE key = :key", key=key)]
        with self._engine.begin() as conn:
            outbox.finish(conn, dict.fromkeys(ids, outbox.Park(reason)))

    def timeline(self, order_id: str) -> list[tuple[str, dict[str, Any]]]:
        query = "SELECT kind, detail FROM timeline WHERE order_id = CAST(:id AS uuid) ORDER BY id"
        return [(row.kind, row.detail) for row in self._rows(query, id=order_id)]

    def label(self, order_id: str) -> tuple[str, bytes] | None:
        query = "SELECT tracking_number, pdf FROM labels WHERE order_id = CAST(:id AS uuid)"
        return next(((row.tracking_number, bytes(row.pdf)) for row in self._rows(query, id=order_id)), None)

    def _rows(self, query: str, **values: Any) -> list[Any]:
        with self._engine.begin() as conn:
            return list(conn.execute(sa.text(query), values))
