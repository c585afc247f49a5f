"""Periods of a zone's calendar: hours and days that are over, as milliseconds since 1970-01-01 UTC. Pure.

A day begins at the first moment that the zone gives its date, and ends where the next begins: 23 or 25 hours where clocks are changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from analytics.domain.events import HOUR_MS


@dataclass(frozen=True, slots=True)
class Period:
    """An hour of UTC or a day of a zone, from `begin_ms`, inclusive, to `end_ms`, exclusive."""

    kind: str
    """`hour` or `day`."""
    name: str
    """`2026-11-28T17Z` or `2026-11-28`."""
    begin_ms: int
    end_ms: int


def day_of(day: date, zone: ZoneInfo) -> Period:
    """A day of a zone."""
    return Period("day", day.isoformat(), _midnight(day, zone), _midnight(day + timedelta(days=1), zone))


def closed(now_ms: int, *, days: int, zone: ZoneInfo) -> Iterator[Period]:
    """The hours and days that ended within the last `days` days before `now_ms`, the oldest first; days last."""
    begin = now_ms - days * 24 * HOUR_MS
    for hour in range(begin // HOUR_MS, now_ms // HOUR_MS):
        name = f"{datetime.fromtimestamp(hour * 3600, UTC):%Y-%m-%dT%HZ}"
        yield Period("hour", name, hour * HOUR_MS, (hour + 1) * HOUR_MS)
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    for back in range(days, 0, -1):
        yield day_of(today - timedelta(days=back), zone)


def _midnight(day: date, zone: ZoneInfo) -> int:
    # A midnight that clocks skip is taken with the offset before it, which is the first moment after the gap.
    at = datetime.combine(day, time.min, zone).astimezone(UTC)
    return int(at.timestamp()) * 1000
