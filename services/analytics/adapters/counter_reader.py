"""Reads the counters from Redis or Valkey, without blocking the event loop. All commands of one question go in one round trip."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from analytics.adapters import counter_keys as keys
from analytics.adapters import engagement_store, trend_board
from analytics.domain.events import KINDS
from analytics.domain.seconds import Flush
from analytics.ports import Freshness, StoreUnavailable, TrendReport


class RedisCounterReader:
    """See ports.CounterReader, ports.AcceptedMark, ports.TrendReader and ports.RecommendationReader."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )

    async def content(self, content: str, minutes: range) -> Mapping[str, Mapping[int, int]]:
        """Events of a content by kind and minute."""
        asked = [(kind, minute) for kind in KINDS for minute in minutes]
        found = await self._ask([("HGET", keys.content_minutes(kind, minute), content) for kind, minute in asked])
        series: dict[str, dict[int, int]] = {}
        for (kind, minute), value in zip(asked, found, strict=True):
            if value is not None:
                series.setdefault(kind, {})[minute] = int(value)
        return series

    async def content_totals(self, content: str) -> Mapping[str, int]:
        """Events of a content by kind, of all time."""
        found = await self._ask([("HGET", keys.content_totals(kind), content) for kind in KINDS])
        return {kind: int(value) for kind, value in zip(KINDS, found, strict=True) if value is not None}

    async def user(self, user: str, hours: range) -> Mapping[int, int]:
        """Events of a user by hour."""
        found = await self._ask([("HGET", keys.user_hours(hour), user) for hour in hours])
        return {hour: int(value) for hour, value in zip(hours, found, strict=True) if value is not None}

    async def totals(self, hours: range) -> Mapping[str, Mapping[int, int]]:
        """All events by kind and minute."""
        asked = [(kind, hour) for kind in KINDS for hour in hours]
        found = await self._ask([("HGETALL", keys.totals(kind, hour)) for kind, hour in asked])
        series: dict[str, dict[int, int]] = {}
        for (kind, _), minutes in zip(asked, found, strict=True):
            for minute, value in minutes.items():
                series.setdefault(kind, {})[int(minute)] = int(value)
        return series

    async def apart(self) -> Mapping[str, int]:
        """Events that are in no other counter."""
        (found,) = await self._ask([("HGETALL", keys.APART)])
        return {name: int(value) for name, value in found.items()}

    async def freshness(self) -> Freshness:
        """How current the counters are."""
        # The mark first: what is accepted between the two answers must not look as if it was not counted.
        accepted, found = await self._ask(
            [
                ("ZSCORE", keys.ACCEPTED, "published_ms"),
                ("HMGET", keys.META, "published_ms", "counted_ms", "events"),
            ]
        )
        published_ms, counted_ms, events = (int(value or 0) for value in found)
        return Freshness(published_ms, counted_ms, events, int(accepted or 0))

    async def contents(self, contents: Sequence[str], minutes: range) -> Mapping[str, Mapping[str, int]]:
        """Events of some contents by kind, within these minutes."""
        if not contents:
            return {}
        asked = [(kind, minute) for kind in KINDS for minute in minutes]
        found = await self._ask([("HMGET", keys.content_minutes(kind, minute), *contents) for kind, minute in asked])
        sums: dict[str, Counter[str]] = {}
        for (kind, _), values in zip(asked, found, strict=True):
            for content, value in zip(contents, values, strict=True):
                if value is not None:
                    sums.setdefault(content, Counter())[kind] += int(value)
        return sums

    async def flushes(self, after_ms: int) -> tuple[int, Sequence[Flush]]:
        """The store's time, and every flush after `after_ms`."""
        # The time first: what is flushed later has a later id.
        time, found = await self._ask([("TIME",), ("XRANGE", keys.FLUSHES, f"{after_ms + 1}", "+")])
        return int(time[0]) * 1000 + int(time[1]) // 1000, [_flush(*entry) for entry in found]

    async def accepted(self, published_ms: int) -> None:
        """Note that a batch that was published then is confirmed, unless a newer one was."""
        await self._ask([("ZADD", keys.ACCEPTED, "GT", f"{published_ms}", "published_ms")])

    async def trend_reports(self) -> Mapping[str, TrendReport]:
        """The last report of each replica."""
        (found,) = await self._ask([("HGETALL", trend_board.REPORTS)])
        return {name: trend_board.decode(body) for name, body in found.items()}

    async def recommended(self, user: str) -> tuple[list[str], list[str], list[str]]:
        """What is kept for a user, the user's history, and the most popular contents."""
        kept, seen, new, popular = await self._ask(
            [
                ("LRANGE", engagement_store.LIST + user, "0", "-1"),
                ("LRANGE", engagement_store.SEEN + user, "0", "-1"),
                ("LRANGE", engagement_store.NEW + user, "0", "-1"),
                ("ZREVRANGE", engagement_store.USERS, "0", str(engagement_store.POPULAR - 1)),
            ]
        )
        return kept, seen + new, popular

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, commands: list[tuple[str, ...]]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            return await pipeline.execute()
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"the counters cannot be read: {error}") from error


def _flush(name: str, fields: Mapping[str, str]) -> Flush:
    counts = {field: int(value) for field, value in fields.items()}
    return Flush(int(name.partition("-")[0]), counts.pop("delay_ms"), counts)
