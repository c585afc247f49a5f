"""What the API reads: counters of a time range, with how current they are in every answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from analytics.domain.events import HOUR_MS, MINUTE_MS
from analytics.domain.trends import ranked
from analytics.ports import CounterReader, TrendReader

HOUR_RANGE_FACTOR = 60
"""A range by hour may be this many times as long as one by minute, since it reads as many counters."""


class BadRange(Exception):
    """A time range is empty or too long; says which and why."""


@dataclass(frozen=True, slots=True)
class Range:
    """From `from_ms`, inclusive, to `to_ms`, exclusive; both milliseconds since 1970-01-01 UTC."""

    from_ms: int
    to_ms: int

    def steps(self, step_ms: int, limit_hours: int) -> range:
        """The minutes or hours that the range touches. Raises BadRange."""
        if not 0 <= self.from_ms < self.to_ms:
            raise BadRange(f"from_ms {self.from_ms} is not before to_ms {self.to_ms}")
        if self.to_ms - self.from_ms > limit_hours * HOUR_MS:
            raise BadRange(f"from_ms {self.from_ms} to to_ms {self.to_ms} is longer than {limit_hours} h")
        return range(self.from_ms // step_ms, -(-self.to_ms // step_ms))


class TrendViews:
    """What trends. Raises ports.StoreUnavailable."""

    def __init__(self, reader: TrendReader, *, live_seconds: float, clock_ms: Callable[[], int]) -> None:
        """A replica that has not reported for `live_seconds` is dead."""
        self._reader = reader
        self._live_ms = live_seconds * 1000
        self._clock_ms = clock_ms

    async def trends(self, subject: str, window: str, limit: int) -> dict[str, Any]:
        """What rises most of `subject` within `window`, from what all live replicas reported; none are left when no replica lives."""
        now_ms = self._clock_ms()
        found = (await self._reader.trend_reports()).values()
        live = [report for report in found if report.at_ms >= now_ms - self._live_ms]
        top = ranked([report.measures.get(subject, {}).get(window, {}) for report in live], limit)
        return {
            "of": subject,
            "window": window,
            "trends": [
                {
                    "id": key,
                    "score": round(measure.score, 2),
                    "events": round(measure.count),
                    "usual": round(measure.usual, 1),
                    "reason": measure.reason,
                }
                for key, measure in top
            ],
            "replicas": len(live),
            "asked_ms": now_ms,
            "reported_ms": min((report.at_ms for report in live), default=0),
        }


class Views:
    """Answers questions. Every method raises BadRange and ports.StoreUnavailable."""

    def __init__(self, reader: CounterReader, *, range_hours: int, clock_ms: Callable[[], int]) -> None:
        self._reader = reader
        self._range_hours = range_hours
        self._clock_ms = clock_ms

    async def content(self, content: str, asked: Range) -> dict[str, Any]:
        """A content's events by kind and minute within the range, and by kind of all time."""
        freshness = await self.freshness()  # before the counters: they are at least this current
        minutes = asked.steps(MINUTE_MS, self._range_hours)
        series = await self._reader.content(content, minutes)
        total = dict(await self._reader.content_totals(content))
        return {
            "content": content,
            "range": _sums(series),
            "all_time": total,
            "deleted": total.get("delete", 0) > 0,
            "minutes": _points(series, MINUTE_MS),
            "freshness": freshness,
        }

    async def user(self, user: str, asked: Range) -> dict[str, Any]:
        """A user's events by hour, of all kinds together."""
        freshness = await self.freshness()
        hours = asked.steps(HOUR_MS, self._range_hours * HOUR_RANGE_FACTOR)
        found = await self._reader.user(user, hours)
        points = [{"at_ms": hour * HOUR_MS, "events": events} for hour, events in sorted(found.items())]
        return {"user": user, "events": sum(found.values()), "hours": points, "freshness": freshness}

    async def totals(self, asked: Range) -> dict[str, Any]:
        """All events by kind and minute; and what is counted by kind only, of all time."""
        freshness = await self.freshness()
        minutes = asked.steps(MINUTE_MS, self._range_hours)
        hours = range(minutes.start // 60, -(-minutes.stop // 60))
        found = await self._reader.totals(hours)
        series = {kind: {m: n for m, n in counts.items() if m in minutes} for kind, counts in found.items()}
        apart = await self._reader.apart()
        return {
            "range": _sums(series),
            "minutes": _points(series, MINUTE_MS),
            "late": _named(apart, "late"),
            "future": _named(apart, "future"),
            "freshness": freshness,
        }

    async def freshness(self) -> dict[str, Any]:
        """How current the counters are."""
        found = await self._reader.freshness()
        return {
            "asked_ms": self._clock_ms(),
            "published_ms": found.published_ms,
            "counted_ms": found.counted_ms,
            "events": found.events,
        }


def _sums(series: Mapping[str, Mapping[int, int]]) -> dict[str, int]:
    return {kind: sum(counts.values()) for kind, counts in series.items() if counts}


def _points(series: Mapping[str, Mapping[int, int]], step_ms: int) -> list[dict[str, Any]]:
    steps = sorted({step for counts in series.values() for step in counts})
    return [
        {"at_ms": step * step_ms, **{kind: counts[step] for kind, counts in series.items() if step in counts}}
        for step in steps
    ]


def _named(apart: Mapping[str, int], name: str) -> dict[str, int]:
    return {key.partition(":")[2]: events for key, events in apart.items() if key.startswith(f"{name}:")}
