"""A market's data feed: numbered ticks made whole, in order and believable. Pure.

- A tick's number is one above that of the tick before. One that was seen is left out; one that comes early waits until those before it were
  asked for and came, or were given up.
- A tick that cannot be believed is refused by the first rule of `Refusal` that it breaks, and counted. It uses its number.
- A trade far from the symbol's last one is refused, unless as many trades in a row as `FAR_TRADES` say the same: then the market moved.
- Prices are ticks, quantities lots.
"""

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from trading.domain.terms import MAX_PRICE, MAX_QUANTITY

BP = 10_000
FAR_TRADES = 3
"""Trades in a row, each far from the last believed one and near the one before it, of which the last is believed."""


class Trade(NamedTuple):
    """Somebody traded."""

    sequence: int
    at_us: int
    symbol: int
    price: int
    quantity: int


class Quote(NamedTuple):
    """The best prices of both sides."""

    sequence: int
    at_us: int
    symbol: int
    bid: int
    bid_quantity: int
    ask: int
    ask_quantity: int


class LastPrices(NamedTuple):
    """What is known last of a symbol; 0 before the first trade, or the first quote."""

    at_us: int = 0
    price: int = 0
    bid: int = 0
    bid_quantity: int = 0
    ask: int = 0
    ask_quantity: int = 0

    def after(self, tick: "Trade | Quote") -> "LastPrices":
        """What is known with one more tick."""
        if isinstance(tick, Trade):
            return self._replace(at_us=tick.at_us, price=tick.price)
        return LastPrices(tick.at_us, self.price, tick.bid, tick.bid_quantity, tick.ask, tick.ask_quantity)


class Refusal(Enum):
    """Why a tick was refused."""

    UNREADABLE = "unreadable"
    """No price on the symbol's tick, no whole quantity, or not of the feed's form at all."""
    UNKNOWN_SYMBOL = "unknown_symbol"
    OUT_OF_RANGE = "out_of_range"
    """A price or a quantity that is not above 0, or beyond what an engine takes."""
    BACKWARDS = "backwards"
    """Earlier than the symbol's tick before."""
    AHEAD = "ahead"
    """Later than it can be: believed, it would make all that follow it early."""
    CROSSED = "crossed"
    """The bid is not below the ask."""
    FAR = "far"


class Refused(NamedTuple):
    """A tick that was refused when it was read."""

    sequence: int
    refusal: Refusal


Tick = Trade | Quote | Refused


class _Seen:
    """What was believed of one symbol."""

    __slots__ = ("at_us", "far", "price")

    def __init__(self, at_us: int = 0, price: int = 0) -> None:
        self.at_us, self.price = at_us, price
        self.far: list[int] = []


class FeedHandler:
    """Takes the ticks of one feed as they come, and gives those to believe in order."""

    def __init__(
        self,
        *,
        after: int = 0,
        known: Mapping[int, LastPrices] | None = None,
        band_bp: int = 0,
        most_waiting: int = 100_000,
    ) -> None:
        """`after` is the number of the last tick that was taken before, `known` what was known then by symbol.

        `band_bp` is how far a trade may be from the last one, in hundredths of a percent; 0 for any. When more than `most_waiting` ticks
        wait for one that is missing, it is given up.
        """
        self.sequence = after
        """Number of the last tick that was taken, refused or given up."""
        self._band_bp, self._most_waiting = band_bp, most_waiting
        self._waiting: dict[int, Tick] = {}
        self._highest = after
        self._symbols = {symbol: _Seen(one.at_us, one.price) for symbol, one in (known or {}).items()}
        self.refused: Counter[Refusal] = Counter()
        self.repeated = self.gaps = self.refilled = self.lost = 0
        """Ticks that came again; gaps; ticks that came after a later one; ticks that never came."""

    @property
    def missing(self) -> tuple[int, int] | None:
        """First and last number of the ticks that the earliest waiting one waits for; None when none waits."""
        return (self.sequence + 1, min(self._waiting) - 1) if self._waiting else None

    def take(self, tick: Tick) -> list[Trade | Quote]:
        """Take one tick; gives those that can be believed now."""
        if tick.sequence <= self.sequence or tick.sequence in self._waiting:
            self.repeated += 1
            return []
        self.gaps += tick.sequence > self._highest + 1
        self.refilled += tick.sequence < self._highest
        self._highest = max(self._highest, tick.sequence)
        if tick.sequence > self.sequence + 1:
            self._waiting[tick.sequence] = tick
            return self.give_up() if len(self._waiting) > self._most_waiting else []
        believed: list[Trade | Quote] = []
        self._next(tick, believed)
        return self._those_that_waited(believed)

    def give_up(self) -> list[Trade | Quote]:
        """Do without the ticks that are missing; gives what waited for them."""
        missing = self.missing
        if missing is None:
            return []
        first, last = missing
        self.lost += last - first + 1
        self.sequence = last
        return self._those_that_waited([])

    def _those_that_waited(self, believed: list[Trade | Quote]) -> list[Trade | Quote]:
        while self._waiting:
            tick = self._waiting.pop(self.sequence + 1, None)
            if tick is None:
                break
            self._next(tick, believed)
        return believed

    def _next(self, tick: Tick, believed: list[Trade | Quote]) -> None:
        self.sequence = tick.sequence
        refusal = tick.refusal if isinstance(tick, Refused) else self._refusal(tick)
        if refusal is not None:
            self.refused[refusal] += 1
        elif not isinstance(tick, Refused):
            believed.append(tick)

    def _refusal(self, tick: Trade | Quote) -> Refusal | None:
        seen = self._symbols.setdefault(tick.symbol, _Seen())
        prices: tuple[int, ...] = (tick.price,) if isinstance(tick, Trade) else (tick.bid, tick.ask)
        quantities = (tick.quantity,) if isinstance(tick, Trade) else (tick.bid_quantity, tick.ask_quantity)
        if not all(0 < one <= MAX_PRICE for one in prices) or not all(0 < one <= MAX_QUANTITY for one in quantities):
            return Refusal.OUT_OF_RANGE
        if tick.at_us < seen.at_us:
            return Refusal.BACKWARDS
        if isinstance(tick, Quote):
            if tick.bid >= tick.ask:
                return Refusal.CROSSED
        elif self._is_far(tick.price, seen):
            return Refusal.FAR
        seen.at_us = tick.at_us
        return None

    def _is_far(self, price: int, seen: _Seen) -> bool:
        if not self._band_bp or not seen.price or self._near(price, seen.price):
            seen.price, seen.far = price, []
            return False
        if seen.far and not self._near(price, seen.far[-1]):
            seen.far = []
        seen.far.append(price)
        if len(seen.far) < FAR_TRADES:
            return True
        seen.price, seen.far = price, []
        return False

    def _near(self, price: int, other: int) -> bool:
        return abs(price - other) * BP <= other * self._band_bp
