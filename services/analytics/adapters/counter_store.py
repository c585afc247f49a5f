"""The counters in Redis or Valkey, written by one server function a flush (see flush.lua)."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import redis

from analytics.adapters.counter_keys import Shard
from analytics.adapters.store_clients import FAILURES, look_anew, node_of
from analytics.domain.counting import Growth
from chassis.errors import Transient

SOURCE = Path(__file__).with_name("flush.lua")
FUNCTION = "analytics_flush_2"
"""Has a version, so that two releases can use one server: each loads its own library."""

DEDUP_SLOTS = 6
"""Into how many sets the part ids of the whole retention are divided; each is asked in each flush."""


class RedisCounterStore:
    """Writes the counters of one shard. Used by one thread."""

    def __init__(
        self,
        client: Any,
        keys: Shard,
        *,
        replicas: int = 0,
        replicas_seconds: float = 1.0,
        minute_seconds: int,
        hour_seconds: int,
        dedup_ms: int,
    ) -> None:
        """`minute_seconds` and `hour_seconds` are how long counters by minute and hour are kept, `dedup_ms` how long part ids are. A flush
        counts as added once `replicas` replicas have it, which may take `replicas_seconds`; so none of them, promoted, lacks it."""
        self._client = client
        self._keys = keys
        self._replicas = replicas
        self._replicas_ms = round(replicas_seconds * 1000)
        self._minute_seconds = minute_seconds
        self._hour_seconds = hour_seconds
        self._slot_ms = max(1, dedup_ms // DEDUP_SLOTS)

    def add(self, growth: Growth) -> frozenset[bytes]:
        """See ports.CounterStore."""
        hashes = [
            (key, seconds, list(counter), list(counter.values())) for key, seconds, counter in self._hashes(growth)
        ]
        apart = [str(each) for pair in growth.apart_sums().items() for each in pair]
        payload = msgspec.msgpack.encode(
            (self._slot_ms, DEDUP_SLOTS, hashes, growth.published_ms, growth.oldest_ms, growth.events, apart)
        )
        told, *known = self._try(lambda: self._flush(b"".join(growth.parts), payload))
        return frozenset() if told == b"added" else frozenset(known)

    def ping(self) -> None:
        """See ports.CounterStore. Asks for what a flush needs: that the server takes writes."""
        self._try(lambda: node_of(self._client, self._keys.prefix).hset(self._keys.meta, mapping={"tried": "1"}))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _hashes(self, growth: Growth) -> Iterator[tuple[str, int, Counter[str]]]:
        # What is older than its counters are kept comes by a backfill. Its minute would have these few events alone, as if there had been
        # no others, so it is counted of all time only.
        keys, now = self._keys, time.time()
        oldest_minute, oldest_hour = (now - self._minute_seconds) / 60, (now - self._hour_seconds) / 3600
        contents: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for (kind, minute), counter in growth.contents.items():
            contents[kind].update(counter)
            if minute > oldest_minute:
                yield keys.content_minutes(kind, minute), self._minute_seconds, counter
        for kind, counter in contents.items():
            yield keys.content_totals(kind), 0, counter
        for hour, counter in growth.users.items():
            if hour > oldest_hour:
                yield keys.user_hours(hour), self._hour_seconds, counter
        for (kind, hour), counter in growth.totals.items():
            if hour > oldest_hour:
                yield keys.totals(kind, hour), self._hour_seconds, counter
        if growth.apart:
            yield keys.apart, 0, growth.apart

    def _flush(self, parts: bytes, payload: bytes) -> Any:
        prefix = self._keys.prefix
        # By itself the cluster's client would ask any node, which may be one that is away, where the key of a call is among its arguments.
        node = node_of(self._client, prefix)
        try:
            told = node.fcall(FUNCTION, 1, prefix, parts, payload)
        except redis.ResponseError as error:
            if "Function not found" not in str(error):
                raise
            # A new server, or a node that has got this shard and had none before. The other nodes are asked by their own aggregators.
            node.function_load(SOURCE.read_text(), replace=True)
            told = node.fcall(FUNCTION, 1, prefix, parts, payload)
        if self._replicas:
            self._replicate(node)
        return told

    def _replicate(self, node: Any) -> None:
        """Wait until the replicas have all that was written here so far. Raises a RedisError when too few have."""
        # WAIT speaks of what its own connection wrote, and a window that was added by a try before is not. Replicas get writes in their
        # order, so who has this one has all before it.
        pipe = node.pipeline(transaction=False)
        pipe.hset(self._keys.meta, "tried", "1")
        pipe.wait(self._replicas, self._replicas_ms)
        reached = pipe.execute()[1]
        if reached < self._replicas:
            raise redis.RedisError(f"{reached} of {self._replicas} replicas have the flush")

    def _try(self, call: Any) -> Any:
        try:
            return call()
        except FAILURES as error:
            look_anew(self._client)
            # Every error of the server is one of its state, never of a batch: full, read-only, damaged, away. A person mends it.
            raise Transient(f"the counter store failed: {error}") from error
