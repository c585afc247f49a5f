"""What the API reads: counters of a time range, with how current they are in every answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from analytics.domain.days import day_of
from analytics.domain.events import HOUR_MS, MINUTE_MS
from analytics.domain.trends import ranked
from analytics.ports.counters import CounterReader
from analytics.ports.trends import TrendReader, TrendReport

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


def asked_range(from_ms: int | None, to_ms: int | None, day: date | None, zone: str | None) -> Range:
    """The range that a question names: both ends, or a day of a zone (of UTC without one). Raises BadRange."""
    if day is not None:
        if from_ms is not None or to_ms is not None:
            raise BadRange("day is given together with from_ms or to_ms")
        try:
            period = day_of(day, ZoneInfo(zone or "UTC"))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise BadRange(f"zone {zone!r} is no zone of the time zone database") from None
        except OverflowError:
            raise BadRange(f"day {day} has no end in zone {zone or 'UTC'}") from None
        return Range(period.begin_ms, period.end_ms)
    if zone is not None:
        raise BadRange(f"zone {zone!r} is of a day, and there is none")
    if from_ms is None or to_ms is None:
        raise BadRange("from_ms and to_ms are needed, or a day")
    return Range(from_ms, to_ms)


@dataclass(frozen=True, slots=True)
class Page:
    """Which points of a series are wanted: at most `limit`, those after `after_ms`."""

    limit: int
    after_ms: int = -1

    def of(self, points: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int | None]:
        """The points of the page, and what the next page comes after; None for the last."""
        left = [point for point in points if point["at_ms"] > self.after_ms]
        page = left[: self.limit]
        return page, page[-1]["at_ms"] if len(left) > len(page) else None


def live_reports(reports: Mapping[str, TrendReport], now_ms: int, live_seconds: float) -> list[TrendReport]:
    """The reports of the replicas that have reported within the last `live_seconds`."""
    return [report for report in reports.values() if report.at_ms >= now_ms - live_seconds * 1000]


class TrendViews:
    """What trends. Raises ports.StoreUnavailable."""

    def __init__(self, reader: TrendReader, *, live_seconds: float, clock_ms: Callable[[], int]) -> None:
        """A replica that has not reported for `live_seconds` is dead."""
        self._reader = reader
        self._live_seconds = live_seconds
        self._clock_ms = clock_ms

    async def trends(self, subject: str, window: str, limit: int) -> dict[str, Any]:
        """What rises most of `subject` within `window`, from what all live replicas reported; none are left when no replica lives."""
        now_ms = self._clock_ms()
        live = live_reports(await self._reader.trend_reports(), now_ms, self._live_seconds)
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

    def __init__(
        self,
        reader: CounterReader,
        *,
        range_hours: int,
        clock_ms: Callable[[], int],
        waiting: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`waiting` says how many batches wait for an aggregator; None while nobody knows."""
        self._waiting = waiting
        self._reader = reader
        self._range_hours = range_hours
        self._clock_ms = clock_ms

    async def content(self, content: str, asked: Range, page: Page) -> dict[str, Any]:
        """A content's events by kind and minute within the range, and by kind of all time."""
        freshness = await self.freshness()  # before the counters: they are at least this current
        minutes = asked.steps(MINUTE_MS, self._range_hours)
        series = await self._reader.content(content, minutes)
        total = dict(await self._reader.content_totals(content))
        points, after = page.of(_points(series, MINUTE_MS))
        return {
            "content": content,
            "range": _sums(series),
            "all_time": total,
            "deleted": total.get("delete", 0) > 0,
            "minutes": points,
            "next_after_ms": after,
            **await self.about(minutes, MINUTE_MS, freshness),
        }

    async def user(self, user: str, asked: Range, page: Page) -> dict[str, Any]:
        """A user's events by hour, of all kinds together."""
        freshness = await self.freshness()
        hours = asked.steps(HOUR_MS, self._range_hours * HOUR_RANGE_FACTOR)
        found = await self._reader.user(user, hours)
        points = [{"at_ms": hour * HOUR_MS, "events": events} for hour, events in sorted(found.items())]
        shown, after = page.of(points)
        return {
            "user": user,
            "events": sum(found.values()),
            "hours": shown,
            "next_after_ms": after,
            **await self.about(hours, HOUR_MS, freshness),
        }

    async def totals(self, asked: Range, page: Page) -> dict[str, Any]:
        """All events by kind and minute; and what is counted by kind only, of all time."""
        freshness = await self.freshness()
        minutes = asked.steps(MINUTE_MS, self._range_hours)
        hours = range(minutes.start // 60, -(-minutes.stop // 60))
        found = await self._reader.totals(hours)
        series = {kind: {m: n for m, n in counts.items() if m in minutes} for kind, counts in found.items()}
        points, after = page.of(_points(series, MINUTE_MS))
        return {
            "range": _sums(series),
            "minutes": points,
            "next_after_ms": after,
            **await self.about(minutes, MINUTE_MS, freshness),
        }

    async def about(self, steps: range, step_ms: int, freshness: Mapping[str, Any]) -> dict[str, Any]:
        """What every answer says of itself: the range of its whole minutes or hours, how current it is, and what it leaves out."""
        covers = {"from_ms": steps.start * step_ms, "to_ms": steps.stop * step_ms}
        return {"covers": covers, **await self._current(freshness)}

    async def now(self) -> dict[str, Any]:
        """How current the counters are, and what they leave out."""
        return await self._current(await self.freshness())

    async def _current(self, freshness: Mapping[str, Any]) -> dict[str, Any]:
        apart = await self._reader.apart()
        return {
            "late": _named(apart, "late"),
            "future": _named(apart, "future"),
            "flagged": _named(apart, "flagged"),
            "refused": apart.get("refused", 0),
            "freshness": freshness,
            # Grows with everything that is counted: two answers with the same one are of the same counters.
            "revision": freshness["events"],
        }

    async def freshness(self) -> dict[str, Any]:
        """How current the counters are."""
        found, now_ms = await self._reader.freshness(), self._clock_ms()
        return {
            "asked_ms": now_ms,
            "accepted_ms": found.accepted_ms,
            "published_ms": found.published_ms,
            "counted_ms": found.counted_ms,
            "events": found.events,
            # Nothing is behind when nothing newer was accepted, however long ago that was.
            # Those that an aggregator holds are not among them.
            "waiting_batches": self._waiting(),
            "behind_ms": max(0, now_ms - found.published_ms) if found.accepted_ms > found.published_ms else 0,
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
