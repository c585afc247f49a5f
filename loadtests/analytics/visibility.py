"""When what was sent became visible in the counters. Pure, but for `Watch`, which asks the store."""

import bisect
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import redis

from loadtests.analytics.counters import OURS
from loadtests.analytics.http_client import Answered

EVERY_SECONDS = 0.01

Seen = tuple[float, int]
"""A time (time.monotonic) and how many events were counted then."""


def delays(sent: Sequence[Answered], seen: Sequence[Seen]) -> list[float]:
    """For each request the seconds from its sending to when as many events were counted as it and all before it have, ascending.

    A request is not told from another, so one counted out of turn lends its place; the distribution stays the same. Events that were
    never seen raise ValueError.
    """
    counted = [events for _, events in seen]
    found, total = [], 0
    for one in sorted(sent, key=lambda each: each.sent):
        total += one.events
        place = bisect.bisect_left(counted, total)
        if place == len(seen):
            raise ValueError(f"{total} events were sent, {counted[-1] if counted else 0} were seen")
        found.append(max(0.0, seen[place][0] - one.sent))
    return sorted(found)


def quantile(ascending: Sequence[float], share: float) -> float:
    """The value that `share` of all are not above."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


@contextlib.contextmanager
def watched(url: str) -> Iterator[list[Seen]]:
    """While inside, note every 10 ms how many events are counted."""
    seen: list[Seen] = []
    ended = threading.Event()

    def watch() -> None:
        with redis.Redis.from_url(url) as store:
            while not ended.wait(EVERY_SECONDS):
                found: Any = store.hget(f"{OURS}meta", "events")
                if not seen or seen[-1][1] != int(found or 0):
                    seen.append((time.monotonic(), int(found or 0)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()
