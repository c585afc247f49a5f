"""Orders leave without a trade: cancelled or expired. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trading.domain.records import Record
from trading.domain.risk import Breach, reserve
from trading.domain.state import Order
from trading.domain.terms import Outcome

if TYPE_CHECKING:
    from trading.domain.engine import Engine

CANCELLED, EXPIRED = int(Outcome.CANCELLED), int(Outcome.EXPIRED)
NO_BREACH: Breach = (0, 0, 0)


def withdraw(engine: Engine, order: Order) -> None:
    """Take an open order out of its session and from where it rests or waits. Its lots stay reserved."""
    del order.session.orders[order.client_id]
    if order.level is not None:
        order.level.side.remove(order)
    elif not engine.books[order.holding.symbol].stops.remove(order):
        engine.reached.remove(order)


def cancelled(order: Order, reason: int, request: int, out: list[Record], breach: Breach = NO_BREACH) -> None:
    """Free what is open of a withdrawn order, and say so."""
    holding, lots = order.holding, order.open
    rule, value, limit = breach
    reserve(holding, order.side, -lots)
    out.append(
        (
            CANCELLED,
            order.session.id,
            order.client_id,
            order.order_id,
            holding.account_id,
            holding.symbol,
            order.side,
            lots,
            int(reason),
            request,
            int(rule),
            value,
            limit,
        )
    )


def cancel_all(engine: Engine, orders: Iterable[Order], reason: int, request: int, out: list[Record]) -> None:
    """Cancel open orders, the oldest first."""
    for order in sorted(orders, key=lambda one: one.order_id):
        withdraw(engine, order)
        cancelled(order, reason, request, out)


def expire_all(engine: Engine, orders: Iterable[Order], out: list[Record]) -> None:
    """Expire open orders, the oldest first."""
    for order in sorted(orders, key=lambda one: one.order_id):
        withdraw(engine, order)
        holding = order.holding
        reserve(holding, order.side, -order.open)
        out.append(
            (
                EXPIRED,
                order.session.id,
                order.client_id,
                order.order_id,
                holding.account_id,
                holding.symbol,
                order.side,
                order.open,
            )
        )
