"""Stops of one symbol that wait for a last trade. Pure."""

from __future__ import annotations

from bisect import bisect_left, insort

from trading.domain.state import Order
from trading.domain.terms import BUY

Waiting = tuple[int, int, Order]
"""Key, arrival, order. Arrivals differ, so two orders are never compared."""


class Stops:
    """Buys wait for a trade at their stop price or above, sells at it or below."""

    __slots__ = ("buys", "sells")

    def __init__(self) -> None:
        self.buys: list[Waiting] = []
        """Sorted by stop price, the lowest first."""
        self.sells: list[Waiting] = []
        """Sorted by minus the stop price, the highest first."""

    def wait(self, order: Order, arrival: int) -> None:
        """The order waits, and has its age from `arrival`."""
        order.arrival = arrival
        if order.side == BUY:
            insort(self.buys, (order.stop_price, arrival, order))
        else:
            insort(self.sells, (-order.stop_price, arrival, order))

    def remove(self, order: Order) -> bool:
        """Whether it waited; it does no more."""
        waiting, key = (self.buys, order.stop_price) if order.side == BUY else (self.sells, -order.stop_price)
        at = bisect_left(waiting, (key, order.arrival))
        if at == len(waiting) or waiting[at][2] is not order:
            return False
        del waiting[at]
        return True

    def reach(self, low: int, high: int) -> list[Order]:
        """Those that trades between `low` and `high` reach, oldest first; they wait no more."""
        buys, sells = self.buys, self.sells
        first_buy = bisect_left(buys, (high + 1,))
        first_sell = bisect_left(sells, (1 - low,))
        if not first_buy and not first_sell:
            return []
        reached = sorted([*buys[:first_buy], *sells[:first_sell]], key=lambda one: one[1])
        del buys[:first_buy], sells[:first_sell]
        return [order for _, _, order in reached]

    def orders(self) -> list[Order]:
        """Oldest first."""
        return [order for _, _, order in sorted([*self.buys, *self.sells], key=lambda one: one[1])]
