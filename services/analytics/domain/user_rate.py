"""Which users have more events within a minute than one may have. Pure; memory is bounded.

Minutes are those of the edge's clock. When more than MOST users were seen in one, those with the fewest events are forgotten and begin
anew: a user may then get more events through, and nobody is flagged too early.
"""

from collections import Counter
from collections.abc import Iterable

from analytics.domain.events import MINUTE_MS, Event

MOST = 100_000
"""Users of a minute that are remembered, about 15 MB."""


class UserRate:
    """What each user sent in the current minute, through this process."""

    def __init__(self, per_minute: int, *, most: int = MOST) -> None:
        """A user may have `per_minute` events."""
        self._per_minute = per_minute
        self._most = most
        self._minute = 0
        self._seen: Counter[str] = Counter()

    def over(self, events: Iterable[Event], now_ms: int) -> dict[str, int]:
        """Count events that came now. The users who have too many by that, and how many of these events still were not."""
        minute = now_ms // MINUTE_MS
        if minute != self._minute:
            self._minute, self._seen = minute, Counter()
        seen, allowed = self._seen, self._per_minute
        came = Counter([event.user for event in events])
        found = {}
        for user, count in came.items():
            before = seen[user]
            seen[user] = before + count
            if before + count > allowed:
                found[user] = max(0, allowed - before)
        least = 1
        while len(self._seen) > self._most:
            self._seen = Counter({user: count for user, count in self._seen.items() if count > least})
            least *= 2
        return found
