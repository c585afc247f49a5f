"""Market data drawn from a seed: the n-th tick is a function of seed and n, so any of them can be told again, also by another process.

Prices wander around a base on two waves with some noise. Most ticks are good. A few are not, on purpose: crossed quotes, prices off the
tick, of zero, below it, that are no numbers, or ten times too high, and sizes of nothing. Every so often some are left out of the stream,
sent twice, or come in a burst. While the market is paused no tick comes, and their numbers go on where they were. Pure; prices are texts
in the venue's unit with two decimals.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

BASES_CENTS = {"AAPL": 15_000, "FB": 3_000, "GOOG": 60_000, "IBM": 19_000, "MSFT": 3_500}
"""Around which prices wander; the five symbols of the trading service's defaults."""
GROUP = 100
"""Ticks that are decided about together: whether they come in a burst, and which of them are left out of the stream."""
BAD_PRICES = ("0", "-1.00", "NaN", "1e3", "100.005", "", "0.00")


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of the feed goes wrong, each as a share of 1."""

    crossed: float = 0.002
    bad: float = 0.003
    far: float = 0.001
    repeated: float = 0.01
    """Ticks that the stream has twice."""
    gaps: float = 0.05
    """Groups of which the stream leaves out up to a fifth."""
    bursts: float = 0.1
    """Groups that come all at once, at their end."""


class Pause(NamedTuple):
    """Ticks from number `first` on come `later_us` later than without any pause."""

    first: int
    later_us: int


@dataclass(frozen=True, slots=True)
class Ticks:
    """A feed. `rate` is in ticks a second, `began_us` the time of tick 0, `pauses` are in the order in which they were."""

    seed: int
    rate: float
    began_us: int
    shares: Shares = Shares()
    bases_cents: Mapping[str, int] = field(default_factory=BASES_CENTS.copy)
    pauses: tuple[Pause, ...] = ()

    def due(self, now_us: int) -> int:
        """The number of the last tick that has come by now; 0 before the first."""
        number = self._reached(now_us)
        group, within = divmod(number, GROUP)
        return group * GROUP if within and self._in_burst(group) else number

    def at_us(self, number: int) -> int:
        """When a tick happened."""
        return self.began_us + self._later_us(number) + int(number * 1e6 / self.rate)

    def paused(self, since_us: int, until_us: int) -> "Ticks":
        """The same feed with a pause from `since_us` on: the first tick behind it comes at `until_us`, never earlier than without it."""
        first = (self._reached(since_us) // GROUP + 1) * GROUP
        later_us = max(until_us - self.at_us(first), 0) + self._later_us(first)
        # A pause that began before the tick came with which the last one ended takes its place.
        return replace(self, pauses=(*(one for one in self.pauses if one.first < first), Pause(first, later_us)))

    def tick(self, number: int) -> dict[str, Any]:
        """The tick of a number from 1 on."""
        rng = _random(self.seed, number)
        symbol = rng.choice(tuple(self.bases_cents))
        cents = self._price_cents(symbol, number, rng)
        told: dict[str, Any] = {"seq": number, "at_us": self.at_us(number), "symbol": symbol}
        fate = rng.random()
        if rng.random() < 0.6:
            bid = cents - rng.randint(1, 3)
            ask = cents + rng.randint(1, 3)
            if fate < self.shares.crossed:
                bid, ask = ask, bid
            sizes = {"bid_size": rng.randint(1, 50) * 100, "ask_size": rng.randint(1, 50) * 100}
            return {**told, "type": "quote", "bid": _written(bid), "ask": _written(ask), **sizes}
        price, size = _written(cents), rng.randint(1, 20) * 100
        if fate < self.shares.bad:
            price, size = (rng.choice(BAD_PRICES), size) if rng.random() < 0.8 else (price, 0)
        elif fate < self.shares.bad + self.shares.far:
            price = _written(cents * 10)
        return {**told, "type": "trade", "price": price, "size": size}

    def left_out(self, number: int) -> bool:
        """Whether the stream does not have a tick."""
        group, within = divmod(number, GROUP)
        return within in _gap(self.seed, group, self.shares.gaps)

    def repeated(self, number: int) -> bool:
        """Whether the stream has a tick twice."""
        return _random(self.seed, -3 * number - 2).random() < self.shares.repeated

    def _later_us(self, number: int) -> int:
        return next((one.later_us for one in reversed(self.pauses) if number >= one.first), 0)

    def _reached(self, now_us: int) -> int:
        last: float = math.inf
        for first, later_us in reversed((Pause(0, 0), *self.pauses)):
            number = int((now_us - self.began_us - later_us) * self.rate / 1e6)
            if number >= first:
                return int(min(number, last))
            last = first - 1
        return 0

    def _in_burst(self, group: int) -> bool:
        return _random(self.seed, -3 * group - 3).random() < self.shares.bursts

    def _price_cents(self, symbol: str, number: int, rng: Random) -> int:
        base = self.bases_cents[symbol]
        slow, fast = (_phase(self.seed, symbol, wave) for wave in (1, 2))
        wandered = 0.03 * math.sin(number / 9_000 + slow) + 0.004 * math.sin(number / 400 + fast)
        return max(int(base * (1 + wandered)) + rng.randint(-3, 3), 10)


@lru_cache(maxsize=1024)
def _phase(seed: int, symbol: str, wave: int) -> float:
    return Random(f"{seed} {symbol} {wave}").random() * 2 * math.pi


@lru_cache(maxsize=1024)
def _gap(seed: int, group: int, share: float) -> range:
    """Which ticks of a group the stream leaves out."""
    rng = _random(seed, -3 * group - 1)
    if rng.random() >= share:
        return range(0)
    first = rng.randrange(GROUP)
    return range(first, first + rng.randint(1, GROUP // 5))


def _random(seed: int, number: int) -> Random:
    return Random(seed * 1_000_003 + number)


def _written(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"
