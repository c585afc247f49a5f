"""How far the requests of a load are, as the counters say: see conductor.capstone.Progress.

Every request of a scope has one view of the scope's marker, so the counters tell how many requests they have. How many were accepted is
known to their client alone.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from conductor.capstones.analytics import counters
from conductor.capstones.analytics.events import marker
from conductor.errors import StoreUnreachable
from conductor.runtime import Reach

STILL_SECONDS = 1.5
"""How long nothing is counted when nothing is left: a few windows of an aggregator."""

BY_STATE = "SELECT 'parked', count(*) FROM parked WHERE status = 'parked'"


class AnalyticsProgress:
    """The requests of a scope; `accepted` says how many of them were accepted until a moment, or until now."""

    def __init__(
        self, access: Reach, scope: str = "", accepted: Callable[[datetime | None], int] = lambda until: 0
    ) -> None:
        self._access = access
        self._scope = scope
        self._accepted = accepted
        self._mark: tuple[int, ...] = (-1,)
        self._marked_at = time.monotonic()

    def in_flight(self) -> int | None:
        """Requests that were accepted and are not counted; of all scopes 0, since nobody knows."""
        if not self._scope:
            return 0
        # Before the look at the counters: a request that is counted meanwhile was accepted.
        accepted = self._accepted(None)
        counted = self._counted()
        return None if counted is None else max(0, accepted - counted)

    def completed(self, since: datetime | None = None) -> int | None:
        """Counted requests, of those accepted after this moment at least so many: the older ones may all be counted."""
        counted = self._counted()
        if counted is None:
            return None
        return max(0, counted - self._accepted(since)) if since is not None else counted

    def clock(self) -> datetime | None:
        """The time here, where requests are accepted."""
        return datetime.now(UTC)

    def by_state(self) -> Mapping[str, int] | None:
        """Events by what became of them."""
        try:
            found, meta = counters.counts(self._access, "apart"), counters.counts(self._access, "meta")
        except StoreUnreachable:
            return None
        apart = {
            why: sum(count for name, count in found.items() if name.startswith(f"{why}:"))
            for why in ("late", "future", "flagged")
        }
        return {"counted": meta["events"] - sum(apart.values()), **apart}

    def moved(self) -> tuple[int, ...]:
        """A mark that changes with every flush."""
        try:
            return (counters.counted(self._access),)
        except StoreUnreachable:
            return ()

    def settled(self) -> bool:
        """Whether every accepted request is counted, and nothing was for a while: what counts twice hides what is not counted yet."""
        mark = self.moved()
        if mark != self._mark:
            self._mark, self._marked_at = mark, time.monotonic()
        return self.in_flight() == 0 and time.monotonic() - self._marked_at > STILL_SECONDS

    def close(self) -> None:
        """Nothing is kept open."""

    def _counted(self) -> int | None:
        try:
            return counters.count(self._access, "ct:view", marker(self._scope))
        except StoreUnreachable:
            return None
