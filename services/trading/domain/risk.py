"""The checks that every order passes before it reaches the book; docs/trading-rules.md gives their order. Pure.

A check answers None, or the rule that is broken and its two numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.domain.order_book import Book
from trading.domain.state import Account, Holding
from trading.domain.terms import BUY, MAX_PRICE, Phase, Rule

if TYPE_CHECKING:
    from trading.domain.engine import Engine

Breach = tuple[int, int, int]
LARGEST = 2**63 - 1
BP = 10_000


def opened(engine: Engine, book: Book, account_id: int) -> Holding | None:
    """A holding for an account that has had none of the symbol; None when nobody approved limits for it."""
    account = engine.accounts.get(account_id)
    if account is None:
        return None
    holding = book.holdings[account_id] = Holding(account, book.symbol)
    return holding


def rate(engine: Engine, account: Account) -> Breach | None:
    """Counts an order or replace in the engine's second."""
    if account.second != engine.second:
        account.second = engine.second
        account.sent = 1
    else:
        account.sent += 1
    max_rate = account.limits[4]
    if account.sent > max_rate:
        return Rule.RATE, account.sent, max_rate
    return None


def first_breach(
    engine: Engine, book: Book, holding: Holding, side: int, price: int, stop_price: int, quantity: int, added: int
) -> Breach | None:
    """The first rule that an order of `quantity` lots would break, `added` of which count in no sum yet.

    A price of 0 is a market order's. A stop meets the collar when it runs, at a stop price of 0.
    """
    account = holding.account
    if not book.open or account.killed_from:
        return _barred(engine, book, account)
    if stop_price:
        price = price or stop_price
    else:
        price = price or book.high
        if not book.low <= price <= book.high or not price:
            return _outside(book, price)
    max_position, max_daily_quantity, max_quantity, max_notional_minor, _ = account.limits
    if quantity > max_quantity:
        return Rule.SIZE, quantity, max_quantity
    notional_minor = price * quantity * book.tick_value_minor
    if notional_minor > max_notional_minor:
        return Rule.NOTIONAL, min(notional_minor, LARGEST), max_notional_minor
    worst = (holding.long_worst if side == BUY else holding.short_worst) + added
    if worst > max_position:
        return Rule.POSITION, worst, max_position
    daily = account.daily_quantity + added
    if daily > max_daily_quantity:
        return Rule.DAILY_QUANTITY, daily, max_daily_quantity
    return None


def _barred(engine: Engine, book: Book, account: Account) -> Breach:
    """Which kill switch, or the phase."""
    if engine.killed_from:
        return Rule.ALL_KILLED, engine.sequence, engine.killed_from
    if book.killed_from:
        return Rule.SYMBOL_KILLED, engine.sequence, book.killed_from
    if account.killed_from:
        return Rule.ACCOUNT_KILLED, engine.sequence, account.killed_from
    return Rule.PHASE, book.phase, Phase.CONTINUOUS.value


def _outside(book: Book, price: int) -> Breach:
    if not book.reference:
        return Rule.NO_REFERENCE, book.symbol, 0
    if price < book.low:
        return Rule.COLLAR_LOW, price, book.low
    return Rule.COLLAR_HIGH, price, book.high


def reserve(holding: Holding, side: int, lots: int) -> None:
    """Counts open lots at their worst; takes them away again where `lots` is negative."""
    if side == BUY:
        holding.long_worst += lots
    else:
        holding.short_worst += lots
    holding.account.daily_quantity += lots


def refer(book: Book, price: int) -> None:
    """The collar lies around `price`; its ends are rounded towards it."""
    book.reference = price
    book.low = max(1, -(-price * (BP - book.collar_bp) // BP))
    book.high = min(MAX_PRICE, price * (BP + book.collar_bp) // BP)
