"""The state of an engine as plain data, and an engine from it. Pure.

Lists of integers by name, in an order that the state alone decides: two engines in the same state give equal snapshots, and an engine that
was restored goes on as the first would have. Sums that follow from open orders are not written but computed anew.
"""

from __future__ import annotations

from trading.domain.administration import refresh
from trading.domain.engine import Engine
from trading.domain.order_book import Book
from trading.domain.risk import refer
from trading.domain.state import Account, Holding, Order, Session, make_order
from trading.domain.terms import BUY

Snapshot = dict[str, list[list[int]]]

VERSION = 1
"""Of the layout below."""


class UnknownVersion(ValueError):
    """The snapshot was written by code that knows another layout."""


def snapshot(engine: Engine) -> Snapshot:
    """The whole state; what is restored from it is independent of `engine`."""
    books = engine.books.values()
    stops = [order for book in books for order in book.stops.orders()]
    return {
        "engine": [[VERSION, engine.sequence, engine.now_us, engine.second, engine.day, engine.killed_from]],
        "symbols": [
            [
                book.symbol,
                book.tick_value_minor,
                book.collar_bp,
                book.phase,
                book.killed_from,
                book.reference,
                book.last_price,
                book.trades,
            ]
            for book in books
        ],
        "accounts": [
            [one.id, *one.limits, one.daily_quantity, one.second, one.sent, one.killed_from]
            for one in engine.accounts.values()
        ],
        "proposals": [
            [account, number, person, *limits] for account, (number, person, limits) in engine.proposals.items()
        ],
        "sessions": [[session.id, session.last_id] for session in engine.sessions.values()],
        "holdings": [[book.symbol, one.account_id, one.position] for book in books for one in book.holdings.values()],
        # By priority, stops by age, and reached ones in the order in which they run.
        "resting": [_row(order) for book in books for side in (book.bids, book.asks) for order in side.orders()],
        "stops": [[order.arrival, *_row(order)] for order in stops],
        "reached": [[order.arrival, *_row(order)] for order in engine.reached],
    }


def restore(data: Snapshot) -> Engine:
    """An engine in the state of `data`; raises UnknownVersion."""
    engine = Engine()
    version, engine.sequence, engine.now_us, engine.second, engine.day, engine.killed_from = data["engine"][0]
    if version != VERSION:
        raise UnknownVersion(f"snapshot of version {version}; this code reads {VERSION}")
    for symbol, tick_value_minor, collar_bp, phase, killed_from, reference, last_price, trades in data["symbols"]:
        book = engine.books[symbol] = Book(symbol, tick_value_minor, collar_bp)
        book.phase, book.killed_from, book.last_price, book.trades = phase, killed_from, last_price, trades
        if reference:
            refer(book, reference)
        refresh(engine, book)
    for id, position, daily, quantity, notional, rate, used, second, sent, killed_from in data["accounts"]:
        limits = (position, daily, quantity, notional, rate)
        account = engine.accounts[id] = Account(id, engine.limits.setdefault(limits, limits))
        account.daily_quantity, account.second, account.sent, account.killed_from = used, second, sent, killed_from
    for id, number, person, position, daily, quantity, notional, rate in data["proposals"]:
        engine.proposals[id] = (number, person, (position, daily, quantity, notional, rate))
    for id, last_id in data["sessions"]:
        session = engine.sessions[id] = Session(id)
        session.last_id = last_id
    for symbol, account_id, position in data["holdings"]:
        holding = engine.books[symbol].holdings[account_id] = Holding(engine.accounts[account_id], symbol)
        holding.position = holding.long_worst = position
        holding.short_worst = -position
    for row in data["resting"]:
        order = _order(engine, row)
        engine.books[order.holding.symbol].side(order.side).rest(order)
    for arrival, *row in data["stops"]:
        order = _order(engine, row)
        engine.books[order.holding.symbol].stops.wait(order, arrival)
    for arrival, *row in data["reached"]:
        order = _order(engine, row)
        order.arrival = arrival
        engine.reached.append(order)
    return engine


def _row(order: Order) -> list[int]:
    return [
        order.order_id,
        order.session.id,
        order.client_id,
        order.holding.symbol,
        order.holding.account_id,
        order.side,
        order.time_in_force,
        order.price,
        order.stop_price,
        order.quantity,
        order.open,
        order.value,
    ]


def _order(engine: Engine, row: list[int]) -> Order:
    (
        order_id,
        session_id,
        client_id,
        symbol,
        account_id,
        side,
        time_in_force,
        price,
        stop_price,
        quantity,
        open,
        value,
    ) = row
    session, holding = engine.sessions[session_id], engine.books[symbol].holdings[account_id]
    order = make_order(order_id, session, client_id, holding, side, time_in_force, price, stop_price, quantity)
    order.open, order.value = open, value
    session.orders[client_id] = order
    if side == BUY:
        holding.long_worst += open
    else:
        holding.short_worst += open
    return order
