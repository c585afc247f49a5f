"""What the slow exchange remembers, and how an order leaves it."""

from dataclasses import dataclass, field

from trading.domain.outcomes import Cancelled
from trading.domain.terms import Outcome, Phase, Side

HIGHEST_PRICE = 10**9


class Broken(Exception):
    """A rule, and its two numbers."""


@dataclass(eq=False)
class Resting:
    """An order from its acknowledgement to its end."""

    order_id: int
    session: int
    client_id: int
    account: int
    symbol: int
    side: int
    time_in_force: int
    price: int
    stop_price: int
    quantity: int
    filled: int = 0
    value: int = 0
    state: str = "arriving"  # or "resting", "waiting", "reached"
    since: tuple[int, int] = (0, 0)
    """Since when it has its place: the input, and the how manieth change in it."""

    @property
    def open(self) -> int:
        return self.quantity - self.filled


@dataclass
class Symbol:
    tick_value: int
    collar_bp: int
    phase: int = Phase.CLOSED
    reference: int = 0
    last_price: int = 0
    trades: int = 0

    def lowest(self) -> int:
        exact, rest = divmod(self.reference * (10_000 - self.collar_bp), 10_000)
        return max(1, exact + (rest > 0))

    def highest(self) -> int:
        return min(HIGHEST_PRICE, self.reference * (10_000 + self.collar_bp) // 10_000)


@dataclass
class SlowState:
    """Everything is in lists, and every sum is counted when it is asked for."""

    cascade: int = 100
    """Stops that run with one input."""
    number: int = 0
    change: int = 0
    now: int = 0
    day: int = 0
    symbols: dict[int, Symbol] = field(default_factory=dict)
    limits: dict[int, tuple[int, ...]] = field(default_factory=dict)
    proposed: dict[int, tuple[int, int, tuple[int, ...]]] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)
    orders: list[Resting] = field(default_factory=list)
    queue: list[Resting] = field(default_factory=list)
    trades: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    """Day, account, symbol, side, lots."""
    sent: list[tuple[int, int]] = field(default_factory=list)
    """Second, account."""
    switches: dict[tuple[int, int], int] = field(default_factory=dict)
    said: list[tuple[int, ...]] = field(default_factory=list)

    def cancel(
        self, order: Resting, reason: int, request: int = 0, rule: int = 0, value: int = 0, limit: int = 0
    ) -> None:
        self.forget(order)
        self.said.append(
            Cancelled(
                Outcome.CANCELLED,
                order.session,
                order.client_id,
                order.order_id,
                order.account,
                order.symbol,
                order.side,
                order.open,
                reason,
                request,
                rule,
                value,
                limit,
            )
        )

    def forget(self, order: Resting) -> None:
        self.orders.remove(order)
        if order in self.queue:
            self.queue.remove(order)

    def cancel_many(self, orders: list[Resting], reason: int, request: int = 0) -> None:
        for order in sorted(orders, key=lambda one: one.order_id):
            self.cancel(order, reason, request)

    def position(self, account: int, symbol: int) -> int:
        return sum(
            lots if side == Side.BUY else -lots
            for _, who, what, side, lots in self.trades
            if (who, what) == (account, symbol)
        )
