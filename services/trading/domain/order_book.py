"""A price–time order book of one symbol. Pure.

A level is a doubly linked list, so that a cancel costs the same wherever the order stands and leaves nothing behind. The keys of a side
are a sorted list with the best at its end, where adding and taking away is cheapest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from trading.domain.state import Holding, Order
from trading.domain.stops import Stops
from trading.domain.terms import BUY, Phase


class Level:
    """The orders of one side at one price, by arrival. Never empty while its side has it."""

    __slots__ = ("first", "key", "last", "price", "side")

    def __init__(self, side: BookSide, price: int, order: Order) -> None:
        self.side = side
        self.price = price
        self.key = side.sign * price
        self.first: Order | None = order
        self.last: Order | None = order


class BookSide:
    """Levels by price. A key is the price with the sign that makes the best one the greatest."""

    __slots__ = ("best", "keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.best: Level | None = None

    def rest(self, order: Order) -> None:
        """The order becomes the last of its price."""
        price = order.price
        level = self.levels.get(price)
        order.next = None
        if level is None:
            self.levels[price] = order.level = level = Level(self, price, order)
            order.previous = None
            key, keys = level.key, self.keys
            if not keys or key > keys[-1]:
                keys.append(key)
                self.best = level
            else:
                keys.insert(bisect_left(keys, key), key)
        else:
            order.level = level
            order.previous = last = level.last
            last.next = order  # type: ignore[union-attr]  # a level is never empty
            level.last = order

    def remove(self, order: Order) -> None:
        """The order leaves its level, and an empty level the side."""
        level = order.level
        assert level is not None
        previous, following = order.previous, order.next
        if previous is not None:
            previous.next = following
        else:
            level.first = following
        if following is not None:
            following.previous = previous
        else:
            level.last = previous
            if previous is None:
                self.drop(level)
        order.level = order.previous = order.next = None

    def drop(self, level: Level) -> None:
        """An empty level leaves the side."""
        del self.levels[level.price]
        keys = self.keys
        if level is self.best:
            keys.pop()
            self.best = self.levels[keys[-1] * self.sign] if keys else None
        else:
            del keys[bisect_left(keys, level.key)]

    def orders(self) -> Iterator[Order]:
        """By priority."""
        for key in reversed(self.keys):
            order = self.levels[key * self.sign].first
            while order is not None:
                following = order.next
                yield order
                order = following

    def depth(self, levels: int) -> list[tuple[int, int]]:
        """(price, open lots) of the best `levels` prices, best first."""
        depth = []
        for key in self.keys[: -levels - 1 : -1]:
            order, lots = self.levels[key * self.sign].first, 0
            while order is not None:
                lots += order.open
                order = order.next
            depth.append((key * self.sign, lots))
        return depth


class Book:
    """A symbol: its two sides, waiting stops, phase, collar and last trade."""

    __slots__ = (
        "asks",
        "bids",
        "collar_bp",
        "high",
        "holdings",
        "killed_from",
        "last_price",
        "low",
        "open",
        "phase",
        "reference",
        "stops",
        "symbol",
        "tick_value_minor",
        "trades",
    )

    def __init__(self, symbol: int, tick_value_minor: int, collar_bp: int) -> None:
        self.symbol = symbol
        self.tick_value_minor = tick_value_minor
        self.collar_bp = collar_bp
        self.bids = BookSide(1)
        self.asks = BookSide(-1)
        self.stops = Stops()
        self.holdings: dict[int, Holding] = {}
        self.phase: int = Phase.CLOSED
        self.killed_from = 0
        """Sequence number from which the symbol's kill switch is on; 0 when it is off."""
        self.open = False
        """Continuous, and neither its nor the general kill switch is on."""
        self.reference = 0
        self.low = 0
        self.high = 0
        """The collar's ends, inclusive; 0 until there is a reference price."""
        self.last_price = 0
        self.trades = 0

    def side(self, side: int) -> BookSide:
        """Where orders of `side` rest."""
        return self.bids if side == BUY else self.asks
