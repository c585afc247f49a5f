"""What keeps ids of users, and the receipts of what was erased there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Place(Protocol):
    """Something that keeps ids of users."""

    def erase(self, user: str) -> Mapping[str, Any]:
        """Erase the user here; what was found, for the receipt. Raises chassis.errors.Transient; what was erased stays erased."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one erasure found. It holds no id of a user."""

    user_sha256: str
    begun_ms: int
    ended_ms: int
    places: Mapping[str, Mapping[str, Any]]


class Receipts(Protocol):
    """Where receipts are kept."""

    def keep(self, receipt: Receipt, actor: str) -> int:
        """Keep a receipt; its number. Raises Transient."""
