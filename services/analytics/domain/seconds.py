"""What was counted in each second, from the aggregators' flushes. Pure.

A second is one of the store's clock, and it is over when that clock has passed it. So each replica says the same of it at any time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SECOND_MS = 1000

COUNTS = ("events", "late", "future", "flagged", "refused")
"""What is told of a second; another release may count more apart."""


@dataclass(frozen=True, slots=True)
class Flush:
    """One call that added events to the counters."""

    at_ms: int
    """When, by the store's clock."""
    delay_ms: int
    """How long before that its oldest batch was published."""
    counts: Mapping[str, int]
    """By the names of COUNTS; `events` has those that are late, of the future or flagged as well, and not those that were refused."""


def seconds(flushes: Iterable[Flush], begin_ms: int, end_ms: int) -> list[dict[str, Any]]:
    """Every second from `begin_ms`, inclusive, to `end_ms`, exclusive: its begin, its counts, and the longest delay; None without a flush,
    since nobody knows then how long one would have taken."""
    found: dict[int, dict[str, Any]] = {
        at: {"at_ms": at, **dict.fromkeys(COUNTS, 0), "delay_ms": None} for at in range(begin_ms, end_ms, SECOND_MS)
    }
    for flush in flushes:
        second = found.get(flush.at_ms - flush.at_ms % SECOND_MS, {})
        if second:
            second["delay_ms"] = max(second["delay_ms"] or 0, flush.delay_ms)
            for name in COUNTS:
                second[name] += flush.counts.get(name, 0)
    return list(found.values())
