"""What changed of a market since a client was told: of its book the levels, of trades and candles those that are new or others. Pure.

A market is a dictionary with `book`, `trades`, `candles` and `price` as the API answers them, and `late`: why candles and price are not of
now, or nothing. Applied to the market before, an increment gives the market now; of trades and candles the last ones are kept.
"""

from collections.abc import Mapping
from typing import Any

Market = Mapping[str, Any]
SIDES = ("bids", "asks")


def increment(before: Market, now: Market) -> dict[str, Any]:
    """What changed; `book` has always what it says besides its levels, and a level with quantity 0 is gone."""
    found: dict[str, Any] = {"book": {name: value for name, value in now["book"].items() if name not in SIDES}}
    found["book"] |= {side: _levels(before["book"][side], now["book"][side]) for side in SIDES}
    last = before["trades"][-1]["number"] if before["trades"] else 0
    found["trades"] = [one for one in now["trades"] if one["number"] > last]
    found["candles"] = [one for one in now["candles"] if one not in before["candles"]]
    for name in ("price", "late"):
        if now[name] != before[name]:
            found[name] = now[name]
    return found


def _levels(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[dict[str, Any]]:
    had, has = ({one["price"]: one["quantity"] for one in side} for side in (before, now))
    gone = [{"price": price, "quantity": 0} for price in had if price not in has]
    return gone + [{"price": price, "quantity": lots} for price, lots in has.items() if had.get(price) != lots]
