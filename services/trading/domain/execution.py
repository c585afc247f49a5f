"""What becomes of an order that passed its checks: it waits, trades, rests or is cancelled; and stops that trades reach. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.domain.matching import fillable, match
from trading.domain.order_book import Book
from trading.domain.records import Record
from trading.domain.risk import first_breach
from trading.domain.state import Order
from trading.domain.terms import BUY, Outcome, Reason, TimeInForce
from trading.domain.withdrawal import cancelled

if TYPE_CHECKING:
    from trading.domain.engine import Engine

CASCADE = 100
"""Stops that run with one input at most. The others run with the next inputs, whatever these are."""

IOC, FOK = TimeInForce.IOC.value, TimeInForce.FOK.value
STOP_TRIGGERED, IOC_REMAINDER = int(Outcome.STOP_TRIGGERED), int(Reason.IOC)


def wait(engine: Engine, book: Book, order: Order) -> None:
    """A stop waits; it is reached at once where the last trade was already there."""
    order.session.orders[order.client_id] = order
    book.stops.wait(order, engine.sequence)
    if book.trades:
        engine.reached.extend(book.stops.reach(book.last_price, book.last_price))


def run(engine: Engine, book: Book, order: Order, out: list[Record]) -> None:
    """Trade; what is left rests or is cancelled."""
    buys = order.side == BUY
    price = order.price or (book.high if buys else book.low)
    opposite, own = (book.asks, book.bids) if buys else (book.bids, book.asks)
    best = opposite.best
    if best is not None and best.key >= opposite.sign * price:
        if order.time_in_force == FOK and not fillable(book, order, price):
            return cancelled(order, Reason.FOK, 0, out)
        trades = book.trades
        stopped = match(book, order, price, out)
        if trades != book.trades and (book.stops.buys or book.stops.sells):
            first = best.price
            low, high = (first, book.last_price) if buys else (book.last_price, first)
            engine.reached.extend(book.stops.reach(low, high))
        if stopped:
            return cancelled(order, Reason.SELF_TRADE, 0, out)
        if not order.open:
            return None
    elif order.time_in_force == FOK:
        return cancelled(order, Reason.FOK, 0, out)
    if not order.price:
        return cancelled(order, Reason.MARKET_REMAINDER, 0, out)
    if order.time_in_force == IOC:
        return cancelled(order, IOC_REMAINDER, 0, out)
    order.session.orders[order.client_id] = order
    return own.rest(order)


def run_reached(engine: Engine, out: list[Record]) -> None:
    """Run stops that trades reached, first those that were reached first, of these the oldest first; each passes the checks again."""
    for _ in range(CASCADE):
        if not engine.reached:
            return
        order = engine.reached.popleft()
        holding = order.holding
        book = engine.books[holding.symbol]
        del order.session.orders[order.client_id]
        order.stop_price = 0
        out.append(
            (
                STOP_TRIGGERED,
                order.session.id,
                order.client_id,
                order.order_id,
                holding.symbol,
                book.last_price,
            )
        )
        breach = first_breach(engine, book, holding, order.side, order.price, 0, order.quantity, 0)
        if breach is not None:
            cancelled(order, Reason.RISK, 0, out, breach)
        else:
            run(engine, book, order, out)
