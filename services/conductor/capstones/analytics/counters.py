"""The counters as their store has them, read without any code of the service."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from conductor.capstones.analytics import COUNTERS
from conductor.redis_client import connected
from conductor.runtime import Reach

if TYPE_CHECKING:
    import redis

PREFIX = "{0}:"
PAGE = 1000

SHARED = ("t:", "apart")
"""Keys of counters that all clients share: events by kind and minute, and those that are late or of the future."""

FAMILIES = ("c:", "ct:", "u:", *SHARED)
"""How the keys of counters begin; the other keys are the aggregators' own."""

Counters = Mapping[str, Mapping[str, int]]
"""By key without its prefix and by field."""

ANSWER_SECONDS = 30.0


def read(access: Reach, families: Iterable[str] = FAMILIES) -> dict[str, dict[str, int]]:
    """Every counter of these families. Raises StoreUnreachable."""
    with connected(access.addresses()[COUNTERS], answer_seconds=ANSWER_SECONDS) as store:
        keys = [key for family in families for key in store.scan_iter(match=f"{PREFIX}{family}*", count=PAGE)]
        return {key.decode().removeprefix(PREFIX): dict(_fields(store, key)) for key in set(keys)}


def _fields(store: "redis.Redis", key: bytes) -> Iterator[tuple[str, int]]:
    # By pages, because a whole hash of a million fields would hold up the aggregator.
    for field, value in store.hscan_iter(key, count=PAGE):
        yield field.decode(), int(value)


def counted(access: Reach, *, answer_seconds: float = 2.0) -> int:
    """Events counted since the store was made. Raises StoreUnreachable."""
    with connected(access.addresses()[COUNTERS], answer_seconds=answer_seconds) as store:
        # Every command of redis-py may also be a coroutine to the type checker.
        found: Any = store.hget(f"{PREFIX}meta", "events")
        return int(found or 0)
