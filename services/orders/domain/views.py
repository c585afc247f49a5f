"""Orders as they are looked at: receipts, lists, timelines, stock levels. Plain records."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orders.domain.order import Line, Product
from orders.domain.saga import Saga


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a customer was told when the order was accepted."""

    order_id: str
    total_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What an idempotency key was used for: the digest of the request, and the answer it got."""

    digest: str
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open command of an order: since when, when it is due (again), starts without an outcome, and outcomes "try again"."""

    task: str
    state: str
    since: datetime
    due_at: datetime
    attempts: int
    failures: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class OrderSummary:
    """An order as a list shows it."""

    id: str
    customer: str
    state: str
    currency: str
    total_minor: int
    saga: Saga
    needs_attention: str | None
    tracking_number: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as one looks at it: what a list shows, its lines, who gets it, and what it waits for."""

    summary: OrderSummary
    email: str
    name: str
    address: dict[str, Any]
    reserve_until: datetime
    lines: tuple[Line, ...]
    waiting: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a timeline; ids of one order grow in the order of its events."""

    id: int
    at: datetime
    kind: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Level:
    """A product and how much of it there is; what is free is `on_hand - reserved`."""

    product: Product
    on_hand: int
    reserved: int
