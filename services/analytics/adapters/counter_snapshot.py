"""Reads whole counters from Redis or Valkey, an hour or a minute at a time, for a recount."""

from collections.abc import Mapping
from typing import Any

import redis

from analytics.adapters import counter_keys as keys
from analytics.domain.events import KINDS
from chassis.errors import Transient


class CounterSnapshot:
    """See ports.CounterHours."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=timeout_seconds, decode_responses=True)

    def totals(self, hour: int) -> Mapping[tuple[str, int], int]:
        """By kind and minute."""
        found = self._hashes([keys.totals(kind, hour) for kind in KINDS])
        return {(kind, int(m)): n for kind, counts in zip(KINDS, found, strict=True) for m, n in counts.items()}

    def contents(self, minute: int) -> Mapping[tuple[str, str], int]:
        """By kind and content."""
        found = self._hashes([keys.content_minutes(kind, minute) for kind in KINDS])
        return {(kind, content): n for kind, counts in zip(KINDS, found, strict=True) for content, n in counts.items()}

    def users(self, hour: int) -> Mapping[str, int]:
        """By user."""
        return self._hashes([keys.user_hours(hour)])[0]
        found: Any = self._try(lambda: self._client.hget(keys.META, "published_ms"))
        return int(found or 0)

    def _hashes(self, names: list[str]) -> list[dict[str, int]]:
        def read() -> Any:
            pipe = self._client.pipeline(transaction=False)
            for name in names:
                pipe.hgetall(name)
            return pipe.execute()

        return [{field: int(value) for field, value in found.items()} for found in self._try(read)]

    def _try(self, call: Any) -> Any:
        try:
            return call()
        except (redis.RedisError, OSError) as error:
            raise Transient(f"the counters cannot be read: {error}") from error
