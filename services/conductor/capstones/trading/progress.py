"""How far the orders of a load are: see conductor.capstone.Progress. An order is completed when its client has an answer.

What is under way is known to the client alone; of the platform itself the API tells how many inputs the journal has, and what the books
hold.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from conductor.capstones.trading.api_client import TradingApi
from conductor.capstones.trading.drawn_orders import SYMBOLS
from conductor.capstones.trading.trader import Trader
from conductor.errors import ApiRefused, ApiUnreachable
from conductor.runtime import Reach

BY_STATE = "SELECT 'parked', count(*) FROM parked WHERE status = 'parked'"


class TradingProgress:
    """The orders of a scope, or of nobody."""

    def __init__(self, access: Reach, scope: str = "", trader: Trader | None = None) -> None:
        self._access, self._scope, self._trader = access, scope, trader

    def in_flight(self) -> int | None:
        """Orders without an answer; 0 where nobody knows of any."""
        return self._trader.in_flight if self._trader else 0

    def completed(self, since: datetime | None = None) -> int | None:
        """Orders that were answered, after this moment."""
        if self._trader is None:
            return 0
        if since is None:
            return self._trader.accepted
        after = monotonic() - (datetime.now(UTC) - since) / timedelta(seconds=1)
        return sum(at > after for at in self._trader.answered_at)

    def clock(self) -> datetime | None:
        """The time here, where orders are answered."""
        return datetime.now(UTC)

    def by_state(self) -> Mapping[str, int] | None:
        """Inputs of the journal, and open lots of all books, in the best twenty prices of each side."""
        try:
            with TradingApi.of(self._access, "operator") as api:
                return _summed([api.book(symbol) for symbol in SYMBOLS])
        except (ApiUnreachable, ApiRefused):
            # The engine pool is away, or a book was not listed yet.
            return None

    def moved(self) -> tuple[int, ...]:
        """A mark that changes with every answer."""
        return (self._trader.accepted, self._trader.in_flight) if self._trader else ()

    def settled(self) -> bool:
        """Whether every order has its answer."""
        return not self.in_flight()

    def close(self) -> None:
        """Nothing is kept open."""


def _summed(books: list[dict[str, Any]]) -> dict[str, int]:
    lots = {side: sum(level["quantity"] for book in books for level in book[side]) for side in ("bids", "asks")}
    return {"inputs": max(book["sequence"] for book in books), "lots bid": lots["bids"], "lots offered": lots["asks"]}
