"""Candles: first, highest, lowest and last price of a span of time, with what was traded in it. Pure.

Spans are of equal length from 1970-01-01 00:00 UTC on: a candle holds the trades from its begin up to, and without, the next one's. Trades
are added in the order of the feed, which decides what is first and last.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from trading.domain.market_data import Trade

MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US


@dataclass(slots=True)
class Candle:
    """Prices in ticks, quantity in lots."""

    open: int
    high: int
    low: int
    close: int
    quantity: int
    trades: int

    def add(self, later: "Candle") -> None:
        """Take what came later in the same span."""
        self.high, self.low = max(self.high, later.high), min(self.low, later.low)
        self.close = later.close
        self.quantity += later.quantity
        self.trades += later.trades


Key = tuple[int, int, int]
"""Symbol, length of the span and its begin in microseconds since 1970."""


def candles(trades: Iterable[Trade], spans_us: Iterable[int]) -> dict[Key, Candle]:
    """The candles that some trades make, of every length."""
    spans, found = tuple(spans_us), dict[Key, Candle]()
    for trade in trades:
        for span in spans:
            key = trade.symbol, span, trade.at_us // span * span
            candle = found.get(key)
            if candle is None:
                found[key] = Candle(trade.price, trade.price, trade.price, trade.price, trade.quantity, 1)
            else:
                # The same as `add` of a candle of one trade.
                candle.high, candle.low = max(candle.high, trade.price), min(candle.low, trade.price)
                candle.close = trade.price
                candle.quantity += trade.quantity
                candle.trades += 1
    return found
