"""Tells an engine the last prices of the market: around them lie the collars, and positions are valued by them. Called by the clock.

The engine journals what it is told, so a replay has the same prices. A price that the feed told long ago is not told again: the engine
keeps what it has. Not for several threads.
"""

from collections.abc import Callable, Iterable, Mapping

from trading.domain.market_data import LastPrices
from trading.domain.terms import Input

FRESH_US = 60_000_000


class ReferencePrices:
    """One engine's."""

    def __init__(self, last_prices: Callable[[], Mapping[int, LastPrices]], say: Callable[..., object]) -> None:
        """`last_prices` gives what the feed told last, by symbol; `say` takes an input's fields, see trading.domain.inputs."""
        self._last_prices, self._say = last_prices, say
        self._told: dict[int, int] = {}

    def tell(self, listed: Iterable[int], now_us: int) -> int:
        """Tell the price of every listed symbol that has another one than when it was told last; returns how many were told.

        Raises what `last_prices` and `say` raise; what was not told is told the next time.
        """
        prices, count = self._last_prices(), 0
        for symbol in listed:
            last = prices.get(symbol, LastPrices())
            if last.price and last.price != self._told.get(symbol) and now_us - last.at_us <= FRESH_US:
                self._say(int(Input.MARKET_DATA), symbol, last.price)
                self._told[symbol] = last.price
                count += 1
        return count
