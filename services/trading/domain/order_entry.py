"""Orders, cancels and replaces. Pure.

Every check is made before anything changes, so a refused input leaves books and sums as they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.domain.execution import run, wait
from trading.domain.identity import identified, refuse
from trading.domain.records import Record
from trading.domain.risk import Breach, first_breach, opened, rate, reserve
from trading.domain.state import Order, make_order
from trading.domain.terms import BUY, Outcome, Reason, Rule, Type
from trading.domain.withdrawal import cancel_all, cancelled, withdraw

if TYPE_CHECKING:
    from trading.domain.engine import Engine

LIMIT, REQUESTED = int(Type.LIMIT), int(Reason.REQUESTED)
ACKNOWLEDGED, REPLACED, DONE = int(Outcome.ACKNOWLEDGED), int(Outcome.REPLACED), int(Outcome.DONE)


def new(engine: Engine, record: Record, out: list[Record]) -> None:
    """Check an order, acknowledge it and let it trade."""
    _, session_id, client_id, account_id, symbol, side, type, time_in_force, price, stop_price, quantity = record
    session = engine.sessions.get(session_id)
    if session is not None and client_id > session.last_id:
        session.last_id = client_id
    else:
        session = identified(engine, session_id, client_id, out)
        if session is None:
            return None
    # Most orders are limit orders; only another one, or a wrong one, needs the longer check.
    plain = type == LIMIT and price > 0 and quantity > 0 and not stop_price and 0 < side <= 2 and 0 < time_in_force <= 4
    if not plain and (field := _malformed(record)):
        return refuse(session_id, client_id, (Rule.MALFORMED, record[field], field), out)
    book = engine.books.get(symbol)
    if book is None:
        return refuse(session_id, client_id, (Rule.UNKNOWN_SYMBOL, symbol, 0), out)
    holding = book.holdings.get(account_id) or opened(engine, book, account_id)
    if holding is None:
        return refuse(session_id, client_id, (Rule.UNKNOWN_ACCOUNT, account_id, 0), out)
    breach = rate(engine, holding.account) or first_breach(
        engine, book, holding, side, price, stop_price, quantity, quantity
    )
    if breach is not None:
        return refuse(session_id, client_id, breach, out)
    if side == BUY:
        holding.long_worst += quantity
    else:
        holding.short_worst += quantity
    holding.account.daily_quantity += quantity
    order_id = engine.sequence
    out.append(
        (
            ACKNOWLEDGED,
            session_id,
            client_id,
            order_id,
            account_id,
            symbol,
            side,
            type,
            time_in_force,
            price,
            stop_price,
            quantity,
        )
    )
    order = make_order(order_id, session, client_id, holding, side, time_in_force, price, stop_price, quantity)
    return wait(engine, book, order) if stop_price else run(engine, book, order, out)


def _malformed(record: Record) -> int:
    """Position of the first field that no order may have; 0 when there is none."""
    side, type, time_in_force, price, stop_price, quantity = record[5:]
    if not 0 < side <= 2:
        return 5
    if not 0 < type <= 4:
        return 6
    if not 0 < time_in_force <= 4:
        return 7
    if not _fits(price, type in (Type.LIMIT, Type.STOP_LIMIT)):
        return 8
    if not _fits(stop_price, type in (Type.STOP, Type.STOP_LIMIT)):
        return 9
    return 0 if quantity > 0 else 10


def _fits(price: int, asked: bool) -> bool:
    return price > 0 if asked else price == 0


def cancel(engine: Engine, record: Record, out: list[Record]) -> None:
    """Cancel an open order of the session. No kill switch, phase or rate stands against it."""
    _, session_id, client_id, target = record
    session = identified(engine, session_id, client_id, out)
    if session is None:
        return None
    order = session.orders.get(target)
    if order is None:
        return refuse(session_id, client_id, (Rule.UNKNOWN_ORDER, target, 0), out)
    withdraw(engine, order)
    return cancelled(order, REQUESTED, client_id, out)


def mass_cancel(engine: Engine, record: Record, out: list[Record]) -> None:
    """Cancel a session's open orders, or those of one account or symbol."""
    kind, session_id, client_id, account_id, symbol = record
    session = identified(engine, session_id, client_id, out)
    if session is None:
        return
    chosen = [
        order
        for order in session.orders.values()
        if account_id in (0, order.holding.account_id) and symbol in (0, order.holding.symbol)
    ]
    cancel_all(engine, chosen, Reason.MASS_CANCEL, client_id, out)
    out.append((DONE, session_id, client_id, kind, engine.sequence))


def session_ended(engine: Engine, record: Record, out: list[Record]) -> None:
    """Cancel-on-disconnect."""
    kind, session_id = record
    session = engine.sessions.get(session_id)
    if session is not None:
        cancel_all(engine, list(session.orders.values()), Reason.SESSION_ENDED, 0, out)
    out.append((DONE, session_id, 0, kind, engine.sequence))


def replace(engine: Engine, record: Record, out: list[Record]) -> None:
    """Give an open order new terms."""
    _, session_id, client_id, target, price, stop_price, quantity = record
    session = identified(engine, session_id, client_id, out)
    if session is None:
        return None
    order = session.orders.get(target)
    if order is None:
        return refuse(session_id, client_id, (Rule.UNKNOWN_ORDER, target, 0), out)
    holding = order.holding
    book = engine.books[holding.symbol]
    field = _unfit(order, price, stop_price, quantity)
    breach: Breach | None = (Rule.MALFORMED, record[field], field) if field else None
    breach = breach or rate(engine, holding.account)
    if breach is None and quantity <= order.quantity - order.open:
        withdraw(engine, order)
        return cancelled(order, Reason.REPLACED_BELOW_FILLED, client_id, out)
    keeps = price == order.price and stop_price == order.stop_price and quantity < order.quantity
    added = quantity - order.quantity
    if breach is None:
        breach = first_breach(engine, book, holding, order.side, price, stop_price, quantity, added)
    if breach is not None:
        return refuse(session_id, client_id, breach, out)
    reserve(holding, order.side, added)
    if keeps:
        del session.orders[target]
        session.orders[client_id] = order
    else:
        withdraw(engine, order)
    order.client_id = client_id
    order.price = price
    order.stop_price = stop_price
    order.quantity = quantity
    order.open += added
    out.append(
        (
            REPLACED,
            session_id,
            client_id,
            order.order_id,
            target,
            price,
            stop_price,
            quantity,
            order.open,
            int(keeps),
        )
    )
    if keeps:
        return None
    return wait(engine, book, order) if stop_price else run(engine, book, order, out)


def _unfit(order: Order, price: int, stop_price: int, quantity: int) -> int:
    """Position of the first field of a replace that does not fit the order; 0 when there is none."""
    if not _fits(price, order.price > 0):
        return 4
    if not _fits(stop_price, order.stop_price > 0):
        return 5
    return 0 if quantity >= 0 else 6
