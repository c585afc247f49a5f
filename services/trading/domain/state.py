"""What the engine remembers of sessions, accounts and orders. Pure.

Exposure is kept so that a trade changes little: an execution turns open lots into position, and what the position could come to at its
worst on that side stays the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

Limits = tuple[int, int, int, int, int]

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

    __slots__ = (
        "daily_quantity",
        "id",
        "killed_from",
        "max_daily_quantity",
        "max_notional_minor",
        "max_position",
        "max_quantity",
        "max_rate",
        "second",
        "sent",
    )

    def __init__(self, id: int, limits: Limits) -> None:
        self.id = id
        self.daily_quantity = 0
        """Lots executed today, and open ones."""
        self.second = -1
        self.sent = 0
        """Orders and replaces in `second`."""
        self.killed_from = 0
        """Sequence number from which the kill switch is on; 0 when it is off."""
        self.set(limits)

    def set(self, limits: Limits) -> None:
        """Position, daily quantity, quantity, notional, rate: as in `ProposeLimits`."""
        self.max_position, self.max_daily_quantity, self.max_quantity, self.max_notional_minor, self.max_rate = limits

    def limits(self) -> Limits:
        """What `set` was given."""
        return (
            self.max_position,
            self.max_daily_quantity,
            self.max_quantity,
            self.max_notional_minor,
            self.max_rate,
        )


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

    level: Level | None
    """Where it rests; None while it waits for its stop price."""
    previous: Order | None
    next: Order | None
    """Neighbours of its level, by priority. Unset where it never rested."""
    arrival: int
    """Sequence number of the input by which a stop began to wait. Unset for other orders."""

    def __init__(
        self,
        order_id: int,
        session: Session,
        client_id: int,
        holding: Holding,
        side: int,
        time_in_force: int,
        price: int,
        stop_price: int,
        quantity: int,
    ) -> None:
        self.order_id = order_id
        self.session = session
        self.client_id = client_id
        self.holding = holding
        self.side = side
        self.time_in_force = time_in_force
        self.price = price
        self.stop_price = stop_price
        self.quantity = quantity
        self.open = quantity
        self.value = 0
        self.level = None
