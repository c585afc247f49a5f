"""Gathers what a verdict needs from those who saw it: journals, the outside world's ledgers, the API and the stock's movements."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg

from conductor import history, http_client
from conductor.capstones.orders.api_client import OrdersApi
from conductor.errors import DrillFailed
from conductor.history import Told
from conductor.runtime import Reach

LEDGERS = ("payments", "carrier", "mail")
LEDGER_SECONDS = 30.0

Entry = Mapping[str, Any]


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


class LedgerTail:
    """The ledgers of the outside world, each read on from where the last look ended."""

    def __init__(self, reach: Reach) -> None:
        addresses = reach.addresses()
        self._addresses = {name: addresses[name] for name in LEDGERS}
        token = http_client.bearer(reach.tokens()["outside"])
        self._http = httpx.Client(timeout=LEDGER_SECONDS, trust_env=False, headers=token)
        self.entries: dict[str, list[Entry]] = {name: [] for name in LEDGERS}

    def read(self, *names: str) -> None:
        """Read on those named, or all; DrillFailed when a server does not answer, for without its ledger nothing is proved."""
        for name in names or LEDGERS:
            known = self.entries[name]
            after = known[-1]["id"] if known else 0
            try:
                answer = self._http.get(f"{self._addresses[name]}/ledger", params={"after": after})
                known += answer.raise_for_status().json()
            except (httpx.HTTPError, ValueError, TypeError) as error:
                raise DrillFailed(f"the ledger of {name} cannot be read: {error}") from error

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def gather(reach: Reach, journals: Iterable[Path]) -> Evidence:
    """All of it, as it is now. The outside's ledgers are read last: an effect without its order is then no accident of timing."""
    told = history.read(journals)
    with OrdersApi.of(reach) as api:
        orders = {order["order_id"]: order for order in api.orders()}
    tail = LedgerTail(reach)
    try:
        tail.read()
    finally:
        tail.close()
    levels, moved = stock(reach)
    return Evidence(
        told=told,
        orders=orders,
        payments=tail.entries["payments"],
        carrier=tail.entries["carrier"],
        mails=tail.entries["mail"],
        levels=levels,
        movements=moved,
    )


def stock(reach: Reach) -> tuple[list[Level], list[Movement]]:
    """Levels and every movement, from one snapshot of the database, read without the right to change it."""
    with psycopg.connect(reach.addresses()["database"], connect_timeout=5) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        levels = connection.execute("SELECT sku, on_hand, reserved FROM stock ORDER BY sku").fetchall()
        rows = connection.execute("SELECT order_id::text, sku, kind, quantity FROM stock_movements ORDER BY id")
        return [Level(*level) for level in levels], [Movement(*row) for row in rows]
