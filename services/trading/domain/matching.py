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
    maker.open = maker_open = maker.open - lots
    maker.value += price * lots
    taker.open = taker_open = taker.open - lots
    taker.value += price * lots
    book.trades = trade = book.trades + 1
    book.last_price = price
    owner, holding, symbol, side = maker.holding, taker.holding, book.symbol, taker.side
    if side == BUY:
        holding.position += lots
        holding.short_worst -= lots
        owner.position -= lots
        owner.long_worst -= lots
    else:
        holding.position -= lots
        holding.long_worst -= lots
        owner.position += lots
        owner.short_worst -= lots
    out.append(
        (
            EXECUTED,
            maker.session.id,
            maker.client_id,
            maker.order_id,
            owner.account_id,
            symbol,
            maker.side,
            price,
            lots,
            maker.quantity - maker_open,
            maker_open,
            maker.value,
            trade,
            1,
        )
    )
    out.append(
        (
            EXECUTED,
            taker.session.id,
            taker.client_id,
            taker.order_id,
            holding.account_id,
            symbol,
            side,
            price,
            lots,
            taker.quantity - taker_open,
            taker_open,
            taker.value,
            trade,
            0,
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
