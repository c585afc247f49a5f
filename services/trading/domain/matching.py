"""Trades an arriving order against the book. Pure.

Best price first, within a price the oldest; the price is the resting order's.
"""

from __future__ import annotations

from trading.domain.order_book import Book
from trading.domain.records import Record
from trading.domain.state import Order
from trading.domain.terms import BUY, Outcome

EXECUTED = Outcome.EXECUTED.value


def match(book: Book, taker: Order, price: int, out: list[Record]) -> bool:
    """Trade `taker` with what rests at `price` or better; True when an order of its own account stands in its way.

    Resting orders that are executed whole leave the book and their session. What is left of `taker` is the caller's to place.
    """
    buys = taker.side == BUY
    opposite = book.asks if buys else book.bids
    bound = opposite.sign * price
    level = opposite.best
    while level is not None and level.key >= bound:
        maker = level.first
        while maker is not None:
            if maker.holding is taker.holding:
                return True
            _trade(book, maker, taker, level.price, out)
            if maker.open:
                return False
            del maker.session.orders[maker.client_id]
            following = maker.next
            maker.level = maker.next = None
            level.first = following
            if following is None:
                level.last = None
                opposite.drop(level)
            else:
                following.previous = None
            if not taker.open:
                return False
            maker = following
        level = opposite.best
    return False


def _trade(book: Book, maker: Order, taker: Order, price: int, out: list[Record]) -> None:
    lots = maker.open if maker.open < taker.open else taker.open
    value = price * lots
    maker.open -= lots
    maker.value += value
    taker.open -= lots
    taker.value += value
    book.trades = trade = book.trades + 1
    book.last_price = price
    owner, holding, symbol = maker.holding, taker.holding, book.symbol
    if taker.side == BUY:
        holding.position += lots
        holding.short_worst -= lots
        owner.position -= lots
        owner.long_worst -= lots
    else:
        holding.position -= lots
        holding.long_worst -= lots
        owner.position += lots
        owner.short_worst -= lots
    for order, held, resting in ((maker, owner, 1), (taker, holding, 0)):
        out.append(
            (
                EXECUTED,
                order.session.id,
                order.client_id,
                order.order_id,
                held.account_id,
                symbol,
                order.side,
                price,
                lots,
                order.quantity - order.open,
                order.open,
                order.value,
                trade,
                resting,
            )
        )


def fillable(book: Book, taker: Order, price: int) -> bool:
    """Whether `taker` would be executed whole at `price` or better, before it reached an order of its own account."""
    opposite = book.asks if taker.side == BUY else book.bids
    wanted = taker.open
    for order in opposite.orders():
        if opposite.sign * (order.price - price) < 0 or order.holding is taker.holding:
            return False
        wanted -= order.open
        if wanted <= 0:
            return True
    return False
