"""Ways to do the same that take turns on one machine, so that what else it does meets all alike; and what each costs beyond the plain one.

A turn is cut into short slices, in which each way comes once, in an order that is drawn. A way is compared with the plain one of its turn.
"""

import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PLAIN = "plain"
_SCHEDULED = 2
"""Of a process's clocks the one that the kernel's scheduler keeps; see clock_getcpuclockid(3)."""


def cpu_ns(pid: int) -> int:
    """CPU time of a process and all of its threads so far, in nanoseconds. /proc tells it in hundredths of a second only."""
    return time.clock_gettime_ns(~pid << 3 | _SCHEDULED)


def slices(ways: Sequence[str], count: int, seed: int) -> Iterator[str]:
    """Whose slice is next, in a turn of so many for each."""
    dice = random.Random(seed)
    for _ in range(count):
        yield from dice.sample(ways, len(ways))


def middle(values: Sequence[float]) -> float:
    """The mean of the middle half: what slices take that nobody disturbed much."""
    ascending = sorted(values)
    quarter = len(ascending) // 4
    return statistics.fmean(ascending[quarter : len(ascending) - quarter])


def costs(turns: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """By way the microseconds of CPU an event, of each turn and their median; and how much more that is than the plain way of the same turn
    takes: median, least and most, in percent."""
    found: dict[str, Any] = {}
    for way in turns[0]:
        more = [(turn[way] / turn[PLAIN] - 1) * 100 for turn in turns]
        found[way] = {
            "us": round(statistics.median(turn[way] for turn in turns), 4),
            "us_by_turn": [round(turn[way], 4) for turn in turns],
            "more_percent": round(statistics.median(more), 2),
            "more_percent_from_to": [round(min(more), 2), round(max(more), 2)],
        }
    return found
