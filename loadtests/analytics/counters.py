"""Reading the counters of either design, and waiting for them."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import redis

OURS, RIVALS = "{0}:", ""
"""What the keys of either design begin with."""

APART = ("parts:", "meta", "flushes", "accepted")
"""Keys that are no counters."""

PATIENCE_SECONDS = 300.0


class NotCounted(Exception):
    """Events were not counted in time."""


def read(store: "redis.Redis[Any] | Any", prefix: str) -> dict[str, Mapping[str, int]]:
    """Every counter by its key without the prefix."""
    found: dict[str, Mapping[str, int]] = {}
    for key in store.scan_iter(match=f"{prefix}*", count=1000):
        name = key.decode().removeprefix(prefix)
        if not name.startswith(APART):
            found[name] = {field.decode(): int(value) for field, value in store.hgetall(key).items()}
    return found


def differences(store: Any, prefix: str, expected: Mapping[str, Counter[str]]) -> list[str]:
    """Each counter that is not as expected, as a sentence; at most ten."""
    found = read(store, prefix)
    names = sorted(found.keys() | expected.keys())
    wrong = [
        f"{name} {field} is {found.get(name, {}).get(field, 0)}, not {expected.get(name, {}).get(field, 0)}"
        for name in names
        for field in sorted({*found.get(name, {}), *expected.get(name, {})})
        if found.get(name, {}).get(field, 0) != expected.get(name, {}).get(field, 0)
    ]
    return wrong[:10]


def await_ours(store: Any, events: int) -> None:
    """Return once so many events are counted. Raises NotCounted."""
    _await(lambda: int(store.hget(f"{OURS}meta", "events") or 0), events, 0.005)


def await_rivals(store: Any, keys: list[str], events: int) -> None:
    """Return once the counters `keys` add up to so many events. Raises NotCounted."""

    def least() -> int:
        with store.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hvals(key)
            sums: Counter[str] = Counter()
            for key, values in zip(keys, pipeline.execute(), strict=True):
                sums[key.partition(":")[0]] += sum(map(int, values))
        return min(sums.values())

    _await(least, events, 0.1)


def _await(counted: Any, events: int, every_seconds: float) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := counted()) < events:
        if time.monotonic() > deadline:
            raise NotCounted(f"{found} of {events} events were counted within {PATIENCE_SECONDS:.0f} s")
        time.sleep(every_seconds)
