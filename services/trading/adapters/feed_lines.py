"""Lines of JSON of a market's data feed as ticks of the domain. Pure.

A trade is {"seq", "at_us", "symbol", "type": "trade", "price", "size"}; a quote has "bid", "bid_size", "ask" and "ask_size" instead.
Prices are texts.
"""

import json
from collections.abc import Mapping
from typing import Any

from trading.domain.market_data import Quote, Refusal, Refused, Tick, Trade
from trading.domain.tick_size import BadPrice, ticks

Symbols = Mapping[str, tuple[int, str]]
"""By name: the symbol's number, and its tick."""

LINE_BYTES = 4096


class NoTick(ValueError):
    """A line without a number of its own: what the feed says cannot be followed."""


def tick_of(line: bytes, symbols: Symbols, latest_us: int) -> Tick:
    """The tick of a line; one from after `latest_us` is refused. Raises NoTick when not even its number can be read."""
    if len(line) > LINE_BYTES:
        raise NoTick(f"a line of {len(line)} bytes is no tick")
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NoTick(f"{line[:80]!r} is no tick: {error}") from error
    return tick_from(told, symbols, latest_us)


def tick_from(told: Any, symbols: Symbols, latest_us: int) -> Tick:
    """The same of what was decoded already."""
    sequence = told.get("seq") if isinstance(told, dict) else None
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 0 < sequence < 1 << 62:
        raise NoTick(f"{str(told)[:80]} has no number")
    known = symbols.get(told["symbol"]) if isinstance(told.get("symbol"), str) else None
    if known is None:
        return Refused(sequence, Refusal.UNKNOWN_SYMBOL)
    symbol, tick = known
    try:
        at_us = _number(told, "at_us")
        if at_us > latest_us:
            return Refused(sequence, Refusal.AHEAD)
        if told.get("type") == "trade":
            return Trade(sequence, at_us, symbol, _price(told, "price", tick), _number(told, "size"))
        if told.get("type") == "quote":
            bid, ask = _price(told, "bid", tick), _price(told, "ask", tick)
            return Quote(sequence, at_us, symbol, bid, _number(told, "bid_size"), ask, _number(told, "ask_size"))
    except (BadPrice, TypeError, KeyError):
        pass
    return Refused(sequence, Refusal.UNREADABLE)


def _price(told: dict[str, Any], name: str, tick: str) -> int:
    price = told[name]
    if not isinstance(price, str):
        # A binary fraction is no price: what it was meant to be can only be guessed.
        raise BadPrice(f"{name} is {price!r}, no text")
    return ticks(price, tick)


def _number(told: dict[str, Any], name: str) -> int:
    value = told[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}, no whole number")
    return value
