"""The counters in Redis or Valkey, written by one server function a flush (see flush.lua)."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from analytics.adapters import counter_keys as keys
from analytics.domain.counting import Growth
from chassis.errors import Transient

SOURCE = Path(__file__).with_name("flush.lua")
FUNCTION = "analytics_flush_2"
"""Has a version, so that two releases can use one server: each loads its own library."""

DEDUP_SLOTS = 6
"""Into how many sets the part ids of the whole retention are divided; each is asked in each flush."""


class RedisCounterStore:
    """Writes the counters. Used by one thread."""

    def __init__(
        self, url: str, *, timeout_seconds: float, minute_seconds: int, hour_seconds: int, dedup_ms: int
    ) -> None:
        """`minute_seconds` and `hour_seconds` are how long counters by minute and hour are kept, `dedup_ms` how long part ids are."""
        # No try again inside the client: the aggregator waits between tries, and its loop must turn.
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=min(timeout_seconds, 2.0),
            retry=Retry(NoBackoff(), 0),
        )
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
        told, *known = self._call(b"".join(growth.parts), payload)
        if told == b"added":
            return frozenset()
        return frozenset(known)

    def ping(self) -> None:
        """See ports.CounterStore. Asks for what a flush needs: that the server takes writes."""
        try:
            self._client.hset(keys.META, mapping={"tried": "1"})
        except redis.RedisError as error:
            raise _transient(error) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _hashes(self, growth: Growth) -> Iterator[tuple[str, int, Counter[str]]]:
        # What is older than its counters are kept comes by a backfill. Its minute would have these few events alone, as if there had been
        # no others, so it is counted of all time only.
        now = time.time()
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
            yield keys.APART, 0, growth.apart

    def _call(self, parts: bytes, payload: bytes) -> Any:
        try:
            try:
                return self._client.fcall(FUNCTION, 1, keys.PREFIX, parts, payload)
            except redis.ResponseError as error:
                if "Function not found" not in str(error):
                    raise
                self._client.function_load(SOURCE.read_text(), replace=True)
                return self._client.fcall(FUNCTION, 1, keys.PREFIX, parts, payload)
        except redis.RedisError as error:
            # Every error of the server is one of its state, never of a batch: full, read-only, damaged, away. A person mends it.
            raise _transient(error) from error


def _transient(error: redis.RedisError) -> Transient:
    return Transient(f"the counter store failed: {error}")
