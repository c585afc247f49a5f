"""Erases a user wherever an id is kept, and leaves a receipt. Repeatable: what is erased already is not found again.

Counts by content, kind and time stay, since they name nobody. What is still on its way (in a client, in a queue) arrives after the erasure,
so it is repeated after the longest of these ways.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol


class Place(Protocol):
    """Something that keeps ids of users."""

    def erase(self, user: str) -> Mapping[str, Any]:
        """Erase the user here; what was found, for the receipt. Raises chassis.errors.Transient; what was erased stays erased."""


class Receipts(Protocol):
    """Where receipts are kept."""

    def keep(self, receipt: "Receipt", actor: str) -> int:
        """Keep a receipt; its number. Raises Transient."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one erasure found. It holds no id of a user."""

    user_sha256: str
    begun_ms: int
    ended_ms: int
    places: Mapping[str, Mapping[str, Any]]


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
