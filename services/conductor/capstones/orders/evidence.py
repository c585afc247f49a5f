"""Gathers what a verdict needs from those who saw it: journals, the outside world's ledgers, the API and the stock's movements."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from conductor.capstones.orders import promises
from conductor.capstones.orders.api_client import OrdersApi
from conductor.capstones.orders.promises import Told
from conductor.harness.ledgers import Entry, LedgerTail
from conductor.runtime import Reach

LEDGERS = ("payments", "carrier", "mail")


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement of stock as the database has it; `order_id` None for a delivery of goods."""

    order_id: str | None
    sku: str
    kind: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Level:
    """How much there is of a product, in pieces."""

    sku: str
    on_hand: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a verdict is made from. `orders` are the API's summaries by id; `levels` and `movements` are of one moment."""

    told: Told
    orders: Mapping[str, Entry]
    payments: Sequence[Entry]
    carrier: Sequence[Entry]
    mails: Sequence[Entry]
    levels: Sequence[Level]
    movements: Sequence[Movement]


def ledgers(access: Reach) -> LedgerTail:
    """The books of the outside programs that an order needs."""
    return LedgerTail(access, LEDGERS)


def gather(access: Reach, journals: Iterable[Path]) -> Evidence:
    """All of it, as it is now. The outside's ledgers are read last: an effect without its order is then no accident of timing."""
    told = promises.read(journals)
    with OrdersApi.of(access) as api:
        orders = {order["order_id"]: order for order in api.orders()}
    with ledgers(access) as tail:
        tail.read()
    levels, moved = stock(access)
    return Evidence(
        told=told,
        orders=orders,
        payments=tail.entries["payments"],
        carrier=tail.entries["carrier"],
        mails=tail.entries["mail"],
        levels=levels,
        movements=moved,
    )


def stock(access: Reach) -> tuple[list[Level], list[Movement]]:
    """Levels and every movement, from one snapshot of the database, read without the right to change it."""
    with psycopg.connect(access.addresses()["database"], connect_timeout=5) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        levels = connection.execute("SELECT sku, on_hand, reserved FROM stock ORDER BY sku").fetchall()
        rows = connection.execute("SELECT order_id::text, sku, kind, quantity FROM stock_movements ORDER BY id")
        return [Level(*level) for level in levels], [Movement(*row) for row in rows]
