"""Positions, prices and candles as people read them: symbols by name, prices as decimal texts, money in whole minor units."""

from collections.abc import Mapping, Sequence
from typing import Any

from trading.domain.candles import DAY_US, MINUTE_US
from trading.domain.tick_size import written
from trading.ports import Views
from trading.settings import Instrument
from trading.usecases.requests import BadRequest
from trading.usecases.times import time_of

SPANS_US = {"minute": MINUTE_US, "day": DAY_US}


class Shown:
    """Views in words. Blocks."""

    def __init__(self, views: Views, instruments: Mapping[str, Instrument]) -> None:
        self._views, self._instruments = views, instruments
        self._names = {one.id: name for name, one in instruments.items()}
        self.symbols = list(instruments)

    def positions(self, accounts: Sequence[int] | None) -> dict[str, Any]:
        """Positions of some accounts, or of all; and how far the journal of each shard is in them."""
        return {
            "positions": [self._position(one) for one in self._views.positions(accounts)],
            "applied": [
                {"shard": one["shard"], "sequence": one["sequence"], "time": time_of(one["now_us"])}
                for one in self._views.applied()
            ],
        }

    def price(self, symbol: str) -> dict[str, Any]:
        """The last price and the best quote of the market. Raises BadRequest."""
        instrument = self._instrument(symbol)
        found = self._views.last_price(instrument.id)
        if found is None:
            return {"symbol": symbol, "price": None, "bid": None, "ask": None, "time": None}
        prices = {name: self._price(instrument, found[name]) for name in ("price", "bid", "ask")}
        return {"symbol": symbol, **prices, "time": time_of(found["at_us"])}

    def candles(self, symbol: str, span: str, limit: int) -> dict[str, Any]:
        """The last candles, oldest first. Raises BadRequest."""
        instrument = self._instrument(symbol)
        return {
            "symbol": symbol,
            "span": span,
            "candles": [
                {
                    "begin": time_of(one["begin_us"]),
                    **{name: self._price(instrument, one[name]) for name in ("open", "high", "low", "close")},
                    "quantity": one["quantity"],
                    "trades": one["trades"],
                }
                for one in self._views.candles(instrument.id, SPANS_US[span], limit)
            ],
        }

    def latency(self, limit: int) -> dict[str, Any]:
        """The last measures of the engines' latency, the newest first."""
        found = self._views.latency(limit)
        return {"measures": [{**one, "measured_at": one["measured_at"].isoformat()} for one in found]}

    def _position(self, held: Mapping[str, int]) -> dict[str, Any]:
        symbol = self._names.get(held["symbol"])
        mark = written(held["mark"], self._instruments[symbol].tick) if symbol and held["mark"] else None
        return {
            **held,
            "symbol": symbol or str(held["symbol"]),
            "mark": mark,
            "unrealised_minor": held["value_minor"] - held["cost_minor"],
        }

    def _instrument(self, symbol: str) -> Instrument:
        found = self._instruments.get(symbol)
        if found is None:
            raise BadRequest("symbol", symbol, "unknown")
        return found

    def _price(self, instrument: Instrument, ticks: int) -> str | None:
        return written(ticks, instrument.tick) if ticks else None
