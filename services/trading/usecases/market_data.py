"""Makes candles and last prices of a feed's ticks, each tick once, whoever dies in between. Not for several threads."""

from collections.abc import Iterable, Sequence

from trading.adapters.market_store import SqlMarketStore
from trading.domain.candles import DAY_US, MINUTE_US, candles
from trading.domain.market_data import FeedHandler, LastPrices, Quote, Tick, Trade

SPANS_US = (MINUTE_US, DAY_US)


class MarketData:
    """Follows a feed from the place that the store has on. Nothing is lost but what was not saved, which the feed gives again."""

    def __init__(self, store: SqlMarketStore, *, band_bp: int, spans_us: Sequence[int] = SPANS_US) -> None:
        """`spans_us` are the lengths of the candles. Raises chassis.errors.Transient."""
        self._store, self._spans_us = store, spans_us
        self._saved = store.sequence()
        self._known = store.last_prices()
        self.handler = FeedHandler(after=self._saved, known=self._known, band_bp=band_bp)
        self._trades: list[Trade] = []
        self._changed: set[int] = set()
        self._unsaved: tuple[int, list[Trade], dict[int, LastPrices]] | None = None

    @property
    def pending(self) -> int:
        """How many numbers of the feed are not saved."""
        return self.handler.sequence - self._saved

    def take(self, ticks: Iterable[Tick]) -> None:
        """Take ticks as they come."""
        for tick in ticks:
            self._believe(self.handler.take(tick))

    def give_up(self) -> None:
        """Do without the ticks that are missing."""
        self._believe(self.handler.give_up())

    def save(self) -> None:
        """Save what is new. Raises Transient: the next call saves the same first, because it may have been saved. Raises FeedMoved."""
        if self._unsaved is None:
            if not self.pending:
                return
            changed = {symbol: self._known[symbol] for symbol in self._changed}
            self._unsaved = self.handler.sequence, self._trades, changed
            self._trades, self._changed = [], set()
        sequence, trades, changed = self._unsaved
        self._store.save(self._saved, sequence, candles(trades, self._spans_us), changed)
        self._saved, self._unsaved = sequence, None

    def _believe(self, ticks: Iterable[Trade | Quote]) -> None:
        for tick in ticks:
            self._known[tick.symbol] = self._known.get(tick.symbol, LastPrices()).after(tick)
            self._changed.add(tick.symbol)
            if isinstance(tick, Trade):
                self._trades.append(tick)
