"""Compares the archive with the counters, key by key, and names every difference.

A counter should be what the archive has of it with each part once. Events that a client sent again under another key are in both; they are
named as repetitions.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from analytics.domain.events import HOUR_MS
from analytics.ports.archive import Archived, ArchiveHour, ArchiveReader, CounterHours

NOTHING = Archived(0, 0)
ERASED = frozenset({"", ("follow", ""), ("unfollow", "")})
"""Names that are left of erased users: counters have none of them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One counter that is not what the archive says, or that has repetitions."""

    counter: str
    """`total`, `content` or `user`."""
    key: str
    """What is counted: `kind`, `kind content` or `user`."""
    at_ms: int
    """Begin of its minute, or hour for a user."""
    counted: int
    archived: int
    """Each part once."""
    distinct: int
    """Repetitions of an event once."""

    @property
    def cause(self) -> str:
        """In which way the two differ."""
        if self.counted < self.archived:
            return "missing in the counters"
        if self.counted > self.archived:
            return "missing in the archive"
        return "sent again under another key"


@dataclass(slots=True)
class Recounted:
    """What a recount found."""

    day: str
    archived: int = 0
    distinct: int = 0
    counted: int = 0
    counters: int = 0
    """Counters that were compared."""
    differences: list[Difference] = field(default_factory=list)
    """The first ones, as many as were asked for."""
    differing: int = 0
    """All counters that differ."""
    repeated: int = 0
    """All counters that are equal and have repetitions."""
    not_compared: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Whether everything was compared and no counter differs."""
        return not self.differing and not self.not_compared


class Recount:
    """Recounts days of UTC. Raises chassis.errors.Transient when archive or counters fail."""

    def __init__(
        self,
        archive: ArchiveReader,
        counters: CounterHours,
        *,
        clock_ms: Callable[[], int],
        minute_hours: int,
        hour_days: int,
    ) -> None:
        """Counters by minute are kept for `minute_hours` after they were first counted, those by hour for `hour_days`."""
        self._archive = archive
        self._counters = counters
        self._clock_ms = clock_ms
        self._minute_ms = minute_hours * HOUR_MS
        self._hour_ms = hour_days * 24 * HOUR_MS

    def day(self, day: date, *, most: int = 1000) -> Recounted:
        """Recount a day; at most `most` differences are kept, all are counted."""
        found = Recounted(day.isoformat())
        begin = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) // 3600
        now_ms = self._clock_ms()
        minutes = begin * HOUR_MS >= now_ms - self._minute_ms
        if not minutes:
            found.not_compared.append("contents by minute, which the counters do not keep that long")
        if begin * HOUR_MS < now_ms - self._hour_ms:
            found.not_compared.append("totals and users, which the counters do not keep that long")
            return found
        with self._archive.hours(range(begin, begin + 24)) as hours:
            for hour, archived in hours:
                for difference in self._hour(hour, archived, found, minutes=minutes):
                    if difference.counted == difference.archived:
                        found.repeated += 1
                    else:
                        found.differing += 1
                    if len(found.differences) < most:
                        found.differences.append(difference)
        return found

    def _hour(self, hour: int, archived: ArchiveHour, found: Recounted, *, minutes: bool) -> Iterator[Difference]:
        totals = archived.totals()
        counted = self._counters.totals(hour)
        found.archived += sum(each.events for each in totals.values())
        found.distinct += sum(each.distinct for each in totals.values())
        found.counted += sum(counted.values())
        for kind, minute, *counts in _compared(found, totals, counted):
            yield Difference("total", kind, minute * 60_000, *counts)
        for user, *counts in _compared(found, archived.users(), self._counters.users(hour)):
            yield Difference("user", user, hour * HOUR_MS, *counts)
        for minute in range(hour * 60, hour * 60 + 60) if minutes else ():
            pairs = _compared(found, archived.contents(minute), self._counters.contents(minute))
            for kind, content, *counts in pairs:
                yield Difference("content", f"{kind} {content}", minute * 60_000, *counts)


def _compared(
    found: Recounted, archived: Mapping[Any, Archived], counted: Mapping[Any, int]
) -> Iterator[tuple[Any, ...]]:
    """Key, counted, archived and distinct of each counter that differs or has repetitions."""
    for key in sorted((archived.keys() | counted.keys()) - ERASED):
        there, here = archived.get(key, NOTHING), counted.get(key, 0)
        found.counters += 1
        if not here == there.events == there.distinct:
            yield (*(key if isinstance(key, tuple) else (key,)), here, there.events, there.distinct)
