"""Orders, their lines and prices. Pure. Money is an integer of minor units (cents) with its currency beside it; never a float."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orders.domain.errors import InvalidOrder, UnknownProduct
from orders.domain.saga import Saga

MAX_LINES = 100
MAX_QUANTITY = 10_000
# PostgreSQL's bigint holds far more; a total above this is a typing error, not a purchase.
MAX_TOTAL_MINOR = 1_000_000_000_00


@dataclass(frozen=True, slots=True)
class Product:
    """One entry of the catalogue."""

    sku: str
    name: str
    price_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class LineRequest:
    """A line as asked for; `amount_minor` overrides the catalogue's price for the whole line (operators only)."""

    sku: str
    quantity: int
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line as accepted: the price is fixed here and never read from the catalogue again. No unit price when it was overridden."""

    sku: str
    quantity: int
    unit_price_minor: int | None
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Customer:
    """Who ordered, and where it goes."""

    customer: str
    email: str
    name: str
    address: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """An accepted order."""

    id: str
    customer: Customer
    card: str
    currency: str
    total_minor: int
    lines: tuple[Line, ...]
    saga: Saga = field(default_factory=Saga)
    tracking_number: str | None = None
    needs_attention: str | None = None
    age_seconds: float | None = None
    """How long ago it was accepted when it was read, by the database's clock; None for one that was not read."""


def price(lines: Sequence[LineRequest], catalogue: Mapping[str, Product]) -> tuple[tuple[Line, ...], int, str]:
    """Fix the prices: lines, total and currency. Raises InvalidOrder naming the field and the value that is wrong."""
    if not 1 <= len(lines) <= MAX_LINES:
        raise InvalidOrder("lines", len(lines), f"an order has 1 to {MAX_LINES} lines")
    priced = tuple(_line(i, line, catalogue) for i, line in enumerate(lines))
    currencies = sorted({catalogue[line.sku].currency for line in lines})
    if len(currencies) > 1:
        raise InvalidOrder("lines", "+".join(currencies), "all lines are in one currency")
    total = sum(line.amount_minor for line in priced)
    if not 0 < total <= MAX_TOTAL_MINOR:
        raise InvalidOrder("lines", total, f"the total is 1 to {MAX_TOTAL_MINOR} minor units")
    return priced, total, currencies[0]


def _line(index: int, line: LineRequest, catalogue: Mapping[str, Product]) -> Line:
    if line.sku not in catalogue:
        raise UnknownProduct(f"lines[{index}].sku", line.sku)
    if not 1 <= line.quantity <= MAX_QUANTITY:
        raise InvalidOrder(f"lines[{index}].quantity", line.quantity, f"1 to {MAX_QUANTITY} pieces")
    if line.amount_minor is None:
        unit = catalogue[line.sku].price_minor
        return Line(line.sku, line.quantity, unit, unit * line.quantity)
    if line.amount_minor <= 0:
        raise InvalidOrder(f"lines[{index}].amount_minor", line.amount_minor, "more than nothing")
    return Line(line.sku, line.quantity, None, line.amount_minor)


def pieces(lines: Sequence[Line]) -> dict[str, int]:
    """Pieces by SKU, lines of the same SKU added up."""
    total: dict[str, int] = {}
    for line in lines:
        total[line.sku] = total.get(line.sku, 0) + line.quantity
    return total
