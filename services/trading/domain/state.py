"""What the engine remembers of sessions, accounts and orders. Pure.

Exposure is kept so that a trade changes little: an execution turns open lots into position, and what the position could come to at its
worst on that side stays the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

Limits = tuple[int, int, int, int, int]
"""Position, daily quantity, quantity, notional in minor units, rate: as in `ProposeLimits`. Accounts with equal limits share one tuple,
because a thousand of them would not stay in the processor's cache."""

if TYPE_CHECKING:
    from trading.domain.order_book import Level


class Session:
    """Client ids rise per session, and orders are found by them."""

    __slots__ = ("id", "last_id", "orders")

    def __init__(self, id: int) -> None:
        self.id = id
        self.last_id = 0
        self.orders: dict[int, Order] = {}
        """Open orders and waiting stops by the client id that names them now."""


class Account:
    """Limits and what counts against them over all symbols."""

    __slots__ = ("daily_quantity", "id", "killed_from", "limits", "second", "sent")

    def __init__(self, id: int, limits: Limits) -> None:
        self.id = id
        self.limits = limits
        self.daily_quantity = 0
        """Lots executed today, and open ones."""
        self.second = -1
        self.sent = 0
        """Orders and replaces in `second`."""
        self.killed_from = 0
        """Sequence number from which the kill switch is on; 0 when it is off."""


class Holding:
    """An account's lots of one symbol."""

    __slots__ = ("account", "account_id", "long_worst", "position", "short_worst", "symbol")

    def __init__(self, account: Account, symbol: int) -> None:
        self.account = account
        self.account_id = account.id
        self.symbol = symbol
        self.position = 0
        self.long_worst = 0
        """Position if every open buy were executed and no sell."""
        self.short_worst = 0
        """Minus the position if every open sell were executed and no buy."""


class Order:
    """An order that is open, or about to be.

    A price of 0 makes it a market order. A stop price makes it wait; it is 0 from the moment the order runs.
    """

    __slots__ = (
        "arrival",
        "client_id",
        "holding",
        "level",
        "next",
        "open",
        "order_id",
        "previous",
        "price",
        "quantity",
        "session",
        "side",
        "stop_price",
        "time_in_force",
        "value",
    )

    order_id: int
    session: Session
    client_id: int
    """By which the client names it now."""
    holding: Holding
    side: int
    time_in_force: int
    price: int
    stop_price: int
    quantity: int
    open: int
    """Lots that are not executed."""
    value: int
    """Sum of price × lots over its executions."""
    level: Level | None
    """Where it rests; None while it waits for its stop price."""
    previous: Order | None
    next: Order | None
    """Neighbours of its level, by priority. Unset where it never rested."""
    arrival: int
    """Sequence number of the input by which a stop began to wait. Unset for other orders."""


def make_order(
    order_id: int,
    session: Session,
    client_id: int,
    holding: Holding,
    side: int,
    time_in_force: int,
    price: int,
    stop_price: int,
    quantity: int,
) -> Order:
    """A new order, all of it open. Not an `__init__`, because CPython 3.11 and 3.12 take twice as long to call one."""
    order = Order()
    order.order_id = order_id
    order.session = session
    order.client_id = client_id
    order.holding = holding
    order.side = side
    order.time_in_force = time_in_force
    order.price = price
    order.stop_price = stop_price
    order.quantity = quantity
    order.open = quantity
    order.value = 0
    order.level = None
    return order
