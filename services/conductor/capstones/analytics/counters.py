"""The counters as their store has them, read without any code of the service.

The store is one server, or a cluster whose nodes have some shards each; the keys of a shard begin with its number in braces. A counter is
the sum of that counter in all shards.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from conductor import redis_client
from conductor.capstones.analytics import COUNTERS
from conductor.redis_client import connected
from conductor.runtime import Reach

if TYPE_CHECKING:
    import redis

SHARD = re.compile(rb"\{\d+\}:")
"""How the keys of a shard begin."""

PAGE = 1000

SHARED = ("t:", "apart")
"""Keys of counters that all clients share: events by kind and minute, and those that are late or of the future."""

FAMILIES = ("c:", "ct:", "u:", *SHARED)
"""How the keys of counters begin after their shard; the other keys are the aggregators' own."""

Counters = Mapping[str, Mapping[str, int]]
"""By key without its shard and by field."""

ANSWER_SECONDS = 30.0


def read(access: Reach, families: Iterable[str] = FAMILIES) -> dict[str, dict[str, int]]:
    """Every counter of these families. Raises StoreUnreachable, also when one node of several does not answer."""
    sums: dict[str, Counter[str]] = {}
    servers = nodes(access)
    for node in servers:
        with _reading(node, len(servers), answer_seconds=ANSWER_SECONDS) as store:
            for key in {key for family in families for key in _keys(store, f"{family}*")}:
                counts = sums.setdefault(SHARD.sub(b"", key, count=1).decode(), Counter())
                for field, value in _fields(store, key):
                    counts[field] += value
    return {key: dict(counts) for key, counts in sums.items()}


def nodes(access: Reach) -> list[str]:
    """The URLs of the store's servers."""
    return redis_client.nodes(access.addresses()[COUNTERS])


@contextlib.contextmanager
def _reading(node: str, servers: int, *, answer_seconds: float) -> "Iterator[redis.Redis]":
    with connected(node, answer_seconds=answer_seconds) as store:
        if servers > 1:
            # After a failover this node is the replica of the one that was its own, and has what that has. Without being told that this is
            # enough it would answer nothing.
            store.execute_command("READONLY")  # type: ignore[no-untyped-call]
        yield store


def _keys(store: "redis.Redis", pattern: str) -> Iterator[bytes]:
    for key in store.scan_iter(match=f"{{*}}:{pattern}", count=PAGE):
        if SHARD.match(key):
            yield key


def _fields(store: "redis.Redis", key: bytes) -> Iterator[tuple[str, int]]:
    # By pages, because a whole hash of a million fields would hold up the aggregator.
    for field, value in store.hscan_iter(key, count=PAGE):
        yield field.decode(), int(value)


def counted(access: Reach, *, answer_seconds: float = 2.0) -> int:
    """Events counted since the store was made. Raises StoreUnreachable."""
    return count(access, "meta", "events", answer_seconds=answer_seconds)


def count(access: Reach, name: str, field: str, *, answer_seconds: float = 2.0) -> int:
    """One field of a counter, by its key without the shard. Raises StoreUnreachable."""
    return sum(int(value or 0) for value in _asked(access, "hget", name, field, answer_seconds=answer_seconds))


def counts(access: Reach, name: str, *, answer_seconds: float = 2.0) -> Counter[str]:
    """All fields of a counter, by its key without the shard. Raises StoreUnreachable."""
    sums: Counter[str] = Counter()
    for found in _asked(access, "hgetall", name, answer_seconds=answer_seconds):
        sums.update({field.decode(): int(value) for field, value in found.items()})
    return sums


def _asked(access: Reach, command: str, name: str, *arguments: str, answer_seconds: float) -> Iterator[Any]:
    servers = nodes(access)
    for node in servers:
        with _reading(node, len(servers), answer_seconds=answer_seconds) as store:
            # Which shards a node has only a look at its keys tells; a server alone has one.
            for key in [f"{{0}}:{name}".encode()] if len(servers) == 1 else list(_keys(store, name)):
                yield getattr(store, command)(key, *arguments)
