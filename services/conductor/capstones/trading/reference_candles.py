"""Candles of a whole feed, by the rules of the service's README and without its code: what the service's own have to equal. Pure.

The feed's ticks come in the order of their numbers, each once. A tick is left out when a price is no positive decimal on the tick, a
quantity no positive whole number, a time earlier than the symbol's before, a bid not below its ask, or a trade far from the one before,
unless it is the third far one in a row that says the same.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

SPANS_US = (60_000_000, 86_400_000_000)
BAND_BP, BP = 1000, 10_000
"""A trade is far that is more than so many hundredths of a percent from the one before: FEED_BAND_BP as it is by default."""
FAR_TRADES = 3
PRICE = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII)

Key = tuple[str, int, int]
"""Symbol, length and begin of the candle, in microseconds."""


class Candle(NamedTuple):
    """Prices in cents."""

    open: int
    high: int
    low: int
    close: int
    quantity: int
    trades: int


class Believer:
    """Knows what of one symbol was believed."""

    def __init__(self) -> None:
        self._at_us = self._price = 0
        self._far: list[int] = []

    def trade(self, tick: Mapping[str, Any]) -> tuple[int, int] | None:
        """Price and quantity of a trade that is believed."""
        if tick["type"] == "quote":
            bid, ask = _cents(tick["bid"]), _cents(tick["ask"])
            sizes = _positive(tick["bid_size"]) and _positive(tick["ask_size"])
            if bid and ask and sizes and bid < ask and tick["at_us"] >= self._at_us:
                self._at_us = tick["at_us"]
            return None
        price = _cents(tick["price"])
        if not price or not _positive(tick["size"]) or tick["at_us"] < self._at_us or not self._is_near(price):
            return None
        self._at_us = tick["at_us"]
        return price, tick["size"]

    def _is_near(self, price: int) -> bool:
        if self._price and not _near(price, self._price):
            if self._far and not _near(price, self._far[-1]):
                self._far = []
            self._far.append(price)
            if len(self._far) < FAR_TRADES:
                return False
        self._price, self._far = price, []
        return True


def candles(ticks: Iterable[Mapping[str, Any]]) -> dict[Key, Candle]:
    """The candles of these ticks, by minute and by day."""
    made: dict[Key, Candle] = {}
    for symbol, at_us, price, quantity in _trades(ticks):
        for span in SPANS_US:
            key = symbol, span, at_us // span * span
            one = made.get(key, Candle(price, price, price, price, 0, 0))
            high, low = max(one.high, price), min(one.low, price)
            made[key] = Candle(one.open, high, low, price, one.quantity + quantity, one.trades + 1)
    return made


def _trades(ticks: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, int, int, int]]:
    believers: dict[str, Believer] = {}
    for tick in ticks:
        if found := believers.setdefault(tick["symbol"], Believer()).trade(tick):
            yield tick["symbol"], tick["at_us"], *found


def _near(price: int, other: int) -> bool:
    return abs(price - other) * BP <= other * BAND_BP


def _positive(number: object) -> bool:
    return isinstance(number, int) and number > 0


def _cents(price: str) -> int:
    """0 for what is no price."""
    match = PRICE.fullmatch(price)
    fraction = (match[2] or "").ljust(2, "0") if match else ""
    return int(match[1] + fraction[:2]) if match and not fraction[2:].strip("0") else 0
