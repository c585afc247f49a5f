"""Erases a user wherever an id is kept, and leaves a receipt. Repeatable: what is erased already is not found again.

Counts by content, kind and time stay, since they name nobody. What is still on its way (in a client, in a queue) arrives after the erasure,
so it is repeated after the longest of these ways.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

from analytics.ports.erasure import Place, Receipt, Receipts


class Erasure:
    """Erases users."""

    def __init__(self, places: Sequence[tuple[str, Place]], receipts: Receipts, *, clock_ms: Callable[[], int]) -> None:
        """The places are erased from in their order."""
        self._places = places
        self._receipts = receipts
        self._clock_ms = clock_ms

    def erase(self, user: str, actor: str) -> tuple[int, Receipt]:
        """Erase a user; number and receipt. Raises ValueError for what is no id, Transient when a place fails: then repeat it."""
        if not 1 <= len(user) <= 64:
            raise ValueError(f"user {user[:70]!r} has {len(user)} characters, an id has 1 to 64")
        begun_ms = self._clock_ms()
        found = {name: place.erase(user) for name, place in self._places}
        receipt = Receipt(
            sha256(user.encode("utf-8", "surrogateescape")).hexdigest(), begun_ms, self._clock_ms(), found
        )
        return self._receipts.keep(receipt, actor), receipt
