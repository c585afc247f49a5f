"""What most people did something with in the last minutes.

Which contents are looked at comes from the aggregators' sketches (see usecases.trend_watch); their counts are those of the counters.
"""

from collections.abc import Callable
from typing import Any

from analytics.domain.events import MINUTE_MS
from analytics.domain.trends import largest
from analytics.ports.counters import CounterReader
from analytics.ports.trends import TrendReader
from analytics.usecases.views import Views, live_reports

WINDOW = "5m"
"""Whose candidates are looked at."""


class TopViews:
    """The top contents. Raises ports.StoreUnavailable."""

    def __init__(
        self,
        reader: CounterReader,
        trends: TrendReader,
        views: Views,
        *,
        live_seconds: float,
        clock_ms: Callable[[], int],
    ) -> None:
        """A replica that has not reported for `live_seconds` is dead."""
        self._reader = reader
        self._trends = trends
        self._views = views
        self._live_seconds = live_seconds
        self._clock_ms = clock_ms

    async def top(self, minutes: int, limit: int) -> dict[str, Any]:
        """At most `limit` contents with their events of the last `minutes` minutes, the current one included; the largest first."""
        freshness = await self._views.freshness()
        now_ms = self._clock_ms()
        last = now_ms // MINUTE_MS
        steps = range(last - minutes + 1, last + 1)
        live = live_reports(await self._trends.trend_reports(), now_ms, self._live_seconds)
        candidates = largest([report.measures.get("contents", {}).get(WINDOW, {}) for report in live])
        counted = await self._reader.contents(candidates, steps)
        sums = sorted(
            ((sum(kinds.values()), content) for content, kinds in counted.items()), key=lambda one: (-one[0], one[1])
        )
        return {
            "minutes": minutes,
            "contents": [
                {"content": content, "events": events, "kinds": dict(counted[content])}
                for events, content in sums[:limit]
            ],
            "replicas": len(live),
            **await self._views.about(steps, MINUTE_MS, freshness),
        }
