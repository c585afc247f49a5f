"""Symbols, phases, kill switches, limits, time and market data. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trading.domain import risk
from trading.domain.identity import refuse
from trading.domain.order_book import Book
from trading.domain.records import Record
from trading.domain.state import Account, Order
from trading.domain.terms import (
    MAX_ID,
    MAX_PRICE,
    MAX_QUANTITY,
    Outcome,
    Phase,
    Reason,
    Rule,
    Scope,
    Switch,
    TimeInForce,
)
from trading.domain.withdrawal import cancel_all, expire_all

if TYPE_CHECKING:
    from trading.domain.engine import Engine

DONE = int(Outcome.DONE)
MAX_TICK_VALUE = 1_000_000
MAX_LIMIT = 2**62
SECOND_US = 1_000_000


def list_symbol(engine: Engine, record: Record, out: list[Record]) -> None:
    """A new symbol, closed at first."""
    _, symbol, tick_value_minor, collar_bp = record
    if not 0 < symbol <= MAX_ID:
        return _malformed(record, 1, out)
    if not 0 < tick_value_minor <= MAX_TICK_VALUE:
        return _malformed(record, 2, out)
    if not 0 <= collar_bp <= risk.BP:
        return _malformed(record, 3, out)
    if symbol in engine.books:
        return refuse(0, 0, (Rule.ALREADY_LISTED, symbol, 0), out)
    engine.books[symbol] = Book(symbol, tick_value_minor, collar_bp)
    return _done(engine, record, out)


def market_data(engine: Engine, record: Record, out: list[Record]) -> None:
    """A reference price for the collar. It says nothing when it is taken, because thousands come a second."""
    _, symbol, price = record
    book = engine.books.get(symbol)
    if book is None:
        return refuse(0, 0, (Rule.UNKNOWN_SYMBOL, symbol, 0), out)
    if not 0 < price <= MAX_PRICE:
        return _malformed(record, 2, out)
    return risk.refer(book, price)


def time(engine: Engine, record: Record, out: list[Record]) -> None:
    """The engine's time. It says nothing when it is taken."""
    _, now_us = record
    if now_us < engine.now_us:
        return refuse(0, 0, (Rule.BACKWARDS, now_us, engine.now_us), out)
    engine.now_us = now_us
    engine.second = now_us // SECOND_US
    return None


def day(engine: Engine, record: Record, out: list[Record]) -> None:
    """A trading day begins."""
    _, number = record
    if number <= engine.day:
        return refuse(0, 0, (Rule.BACKWARDS, number, engine.day), out)
    engine.day = number
    for account in engine.accounts.values():
        account.daily_quantity = 0
    for book in engine.books.values():
        for holding in book.holdings.values():
            # What is open on both sides: the position cancels itself out.
            holding.account.daily_quantity += holding.long_worst + holding.short_worst
    return _done(engine, record, out)


def phase(engine: Engine, record: Record, out: list[Record]) -> None:
    """Close, open or halt a symbol."""
    _, symbol, number = record
    book = engine.books.get(symbol)
    if book is None:
        return refuse(0, 0, (Rule.UNKNOWN_SYMBOL, symbol, 0), out)
    if not Phase.CLOSED <= number <= Phase.HALTED:
        return _malformed(record, 2, out)
    book.phase = int(number)
    refresh(engine, book)
    if number == Phase.CLOSED:
        expire_all(engine, (one for one in _orders(engine, book) if one.time_in_force != TimeInForce.GTC), out)
    return _done(engine, record, out)


def refresh(engine: Engine, book: Book) -> None:
    """Whether the book takes orders, from its phase and the kill switches."""
    book.open = book.phase == Phase.CONTINUOUS and not book.killed_from and not engine.killed_from


def kill(engine: Engine, record: Record, out: list[Record]) -> None:
    """Turn a kill switch on or off; one that is on keeps the sequence number from which it is."""
    _, scope, target, switch = record
    if not Scope.ALL <= scope <= Scope.SYMBOL:
        return _malformed(record, 1, out)
    if not Switch.OFF <= switch <= Switch.CANCEL:
        return _malformed(record, 3, out)
    orders: Iterator[Order]
    stopped: Engine | Account | Book | None
    if scope == Scope.ALL:
        stopped = engine
        orders = (order for book in engine.books.values() for order in _orders(engine, book))
    elif scope == Scope.ACCOUNT:
        stopped = engine.accounts.get(target)
        orders = _orders_of_account(engine, target)
    else:
        stopped = book = engine.books.get(target)
        orders = _orders(engine, book) if book else iter(())
    if stopped is None:
        rule = Rule.UNKNOWN_ACCOUNT if scope == Scope.ACCOUNT else Rule.UNKNOWN_SYMBOL
        return refuse(0, 0, (rule, target, 0), out)
    stopped.killed_from = (stopped.killed_from or engine.sequence) if switch else 0
    for book in engine.books.values():
        refresh(engine, book)
    if switch == Switch.CANCEL:
        cancel_all(engine, list(orders), Reason.KILL_SWITCH, 0, out)
    return _done(engine, record, out)


def propose_limits(engine: Engine, record: Record, out: list[Record]) -> None:
    """Keep limits until another person approves them."""
    _, account, person, position, daily_quantity, quantity, notional_minor, rate = record
    limits = (position, daily_quantity, quantity, notional_minor, rate)
    for field, value in enumerate(record[1:3], start=1):
        if not 0 < value <= MAX_ID:
            return _malformed(record, field, out)
    for field, value in enumerate(limits, start=3):
        if not 0 <= value <= (MAX_QUANTITY if field == 5 else MAX_LIMIT):
            return _malformed(record, field, out)
    engine.proposals[account] = (engine.sequence, person, limits)
    return _done(engine, record, out)


def approve_limits(engine: Engine, record: Record, out: list[Record]) -> None:
    """Let proposed limits hold from the next input on. Open orders stay, also such as would now be refused."""
    _, account_id, person, number = record
    if not 0 < person <= MAX_ID:
        return _malformed(record, 2, out)
    proposal = engine.proposals.get(account_id)
    if proposal is None or proposal[0] != number:
        return refuse(0, 0, (Rule.UNKNOWN_PROPOSAL, number, account_id), out)
    if proposal[1] == person:
        return refuse(0, 0, (Rule.SAME_PERSON, person, number), out)
    del engine.proposals[account_id]
    account = engine.accounts.get(account_id)
    limits = engine.limits.setdefault(proposal[2], proposal[2])
    if account is None:
        engine.accounts[account_id] = Account(account_id, limits)
    else:
        account.limits = limits
    return _done(engine, record, out)


def _orders(engine: Engine, book: Book) -> Iterator[Order]:
    """All open orders of a symbol: resting, waiting, reached."""
    yield from book.bids.orders()
    yield from book.asks.orders()
    yield from book.stops.orders()
    yield from (order for order in engine.reached if order.holding.symbol == book.symbol)


def _orders_of_account(engine: Engine, account_id: int) -> Iterator[Order]:
    for session in engine.sessions.values():
        yield from (order for order in session.orders.values() if order.holding.account_id == account_id)


def _malformed(record: Record, field: int, out: list[Record]) -> None:
    refuse(0, 0, (Rule.MALFORMED, record[field], field), out)


def _done(engine: Engine, record: Record, out: list[Record]) -> None:
    out.append((DONE, 0, 0, record[0], engine.sequence))
