"""Where replicas of the aggregator keep their trends, and who reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from analytics.domain.trends import Measure


@dataclass(frozen=True, slots=True)
class TrendReport:
    """What one replica says of the candidates for trends."""

    at_ms: int
    measures: Mapping[str, Mapping[str, Mapping[str, Measure]]]
    """By subject, window and key."""


class TrendBoard(Protocol):
    """Where replicas keep their trends, as they use it. Every method raises chassis.errors.Transient when the store fails."""

    def report(self, replica: str, report: TrendReport) -> None:
        """Replace the replica's report."""

    def reports(self) -> Mapping[str, TrendReport]:
        """The last report of each replica."""

    def save(self, replica: str, state: Mapping[str, bytes], *, instead_of: str | None = None) -> bool:
        """Replace the replica's saved state, and remove what is of `instead_of`, at once. False, and nothing is done, when that has no
        state any more."""

    def owns(self, replica: str) -> bool:
        """Whether the replica has a saved state."""

    def state(self, replica: str) -> Mapping[str, bytes] | None:
        """The replica's saved state, by subject."""

    def dead(self, *, since_ms: int, but: str) -> list[str]:
        """Replicas with a saved state that have not reported since; `but` is none of them.

        Reports that are as old, of replicas without a saved state, are removed."""


class TrendReader(Protocol):
    """The trends, as the API reads them."""

    async def trend_reports(self) -> Mapping[str, TrendReport]:
        """The last report of each replica. Raises StoreUnavailable."""
