"""What the live page shows: each second of the last minutes, and what is known now."""

import asyncio
from collections.abc import Callable
from typing import Any

from analytics.domain.seconds import SECOND_MS, seconds
from analytics.ports.counters import AcceptedMark, CounterReader, StoreUnavailable
from analytics.usecases.collect import Collector
from analytics.usecases.top import TopViews
from analytics.usecases.views import TrendViews, Views

HISTORY_SECONDS = 300
"""How many seconds back are told; the flushes of three times as many are kept."""

SHOWN = 10
"""Trends and contents that the page lists."""

TOP_MINUTES = 5

MARK_SECONDS = 1.0


class LiveViews:
    """See above. Every method raises ports.StoreUnavailable."""

    def __init__(
        self, reader: CounterReader, views: Views, trends: TrendViews, top: TopViews, *, clock_ms: Callable[[], int]
    ) -> None:
        self._reader = reader
        self._views = views
        self._trends = trends
        self._top = top
        self._clock_ms = clock_ms
        self._known: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
        self._asking = asyncio.Lock()

    async def seconds(self, after_ms: int) -> list[dict[str, Any]]:
        """The seconds that are over and began after `after_ms`, of the last five minutes, the oldest first; each has its counts."""
        oldest_ms = self._clock_ms() // SECOND_MS * SECOND_MS - HISTORY_SECONDS * SECOND_MS
        begin_ms = max(oldest_ms, after_ms // SECOND_MS * SECOND_MS + SECOND_MS)
        now_ms, flushes = await self._reader.flushes(begin_ms - 1)
        return seconds(flushes, begin_ms, now_ms // SECOND_MS * SECOND_MS)

    async def state(self, of: str, window: str) -> dict[str, Any]:
        """Sums of all time, freshness, what trends of `of` within `window`, and the top contents.

        All streams of a process share one answer for a second.
        """
        async with self._asking:
            asked_ms, known = self._known.get((of, window), (0, {}))
            now_ms = self._clock_ms()
            if not 0 <= now_ms - asked_ms < SECOND_MS:
                trends, top = await self._trends.trends(of, window, SHOWN), await self._top.top(TOP_MINUTES, SHOWN)
                known = {"trends": trends, "top": top, **await self._views.now()}
                self._known[of, window] = now_ms, known
            return known


async def mark_accepted(collector: Collector, mark: AcceptedMark, shard: int) -> None:
    """Note, as long as it runs, what was accepted here for a shard: so readers know that something is still to be counted."""
    noted_ms = 0
    while True:
        await asyncio.sleep(MARK_SECONDS)
        accepted_ms = collector.accepted_ms
        if accepted_ms > noted_ms:
            try:
                await mark.accepted(accepted_ms, shard)
                noted_ms = accepted_ms
            except StoreUnavailable:
                continue
