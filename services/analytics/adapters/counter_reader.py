"""Reads the counters from Redis or Valkey, without blocking the event loop. All commands of one question go in one round trip."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analytics.adapters import engagement_store, trend_board
from analytics.adapters.counter_keys import Shard
from analytics.adapters.store_clients import FAILURES
from analytics.domain.events import KINDS
from analytics.domain.seconds import Flush
from analytics.ports.counters import Freshness, StoreUnavailable
from analytics.ports.trends import TrendReport

_Commands = list[tuple[Any, ...]]

TIME = "return redis.call('TIME')"
"""TIME of the server that has a key: the command itself has no key to find the server by."""


class RedisCounterReader:
    """See ports.CounterReader, ports.AcceptedMark, ports.TrendReader and ports.RecommendationReader.

    A counter is the sum of that counter in all shards. When one shard cannot be read the whole answer fails, because a sum without it
    would be wrong.
    """

    def __init__(self, client: Any, shards: Sequence[Shard]) -> None:
        """`client` is one of StoreAddress.async_client."""
        self._client = client
        self._shards = shards

    async def content(self, content: str, minutes: range) -> Mapping[str, Mapping[int, int]]:
        """Events of a content by kind and minute."""
        asked = [(kind, minute) for kind in KINDS for minute in minutes]
        series: dict[str, Counter[int]] = {}
        for found in await self._ask_shards(lambda of: [("HGET", of.content_minutes(*one), content) for one in asked]):
            for (kind, minute), value in zip(asked, found, strict=True):
                if value is not None:
                    series.setdefault(kind, Counter())[minute] += int(value)
        return series

    async def content_totals(self, content: str) -> Mapping[str, int]:
        """Events of a content by kind, of all time."""
        sums: Counter[str] = Counter()
        for found in await self._ask_shards(lambda of: [("HGET", of.content_totals(kind), content) for kind in KINDS]):
            sums.update({kind: int(value) for kind, value in zip(KINDS, found, strict=True) if value is not None})
        return sums

    async def user(self, user: str, hours: range) -> Mapping[int, int]:
        """Events of a user by hour."""
        sums: Counter[int] = Counter()
        for found in await self._ask_shards(lambda of: [("HGET", of.user_hours(hour), user) for hour in hours]):
            sums.update({hour: int(value) for hour, value in zip(hours, found, strict=True) if value is not None})
        return sums

    async def totals(self, hours: range) -> Mapping[str, Mapping[int, int]]:
        """All events by kind and minute."""
        asked = [(kind, hour) for kind in KINDS for hour in hours]
        series: dict[str, Counter[int]] = {}
        for found in await self._ask_shards(lambda of: [("HGETALL", of.totals(*one)) for one in asked]):
            for (kind, _), minutes in zip(asked, found, strict=True):
                for minute, value in minutes.items():
                    series.setdefault(kind, Counter())[int(minute)] += int(value)
        return series

    async def apart(self) -> Mapping[str, int]:
        """Events that are in no other counter."""
        sums: Counter[str] = Counter()
        for (found,) in await self._ask_shards(lambda of: [("HGETALL", of.apart)]):
            sums.update({name: int(value) for name, value in found.items()})
        return sums

    async def freshness(self) -> Freshness:
        """How current the counters are: as current as the shard that is furthest behind."""
        # The mark first: what is accepted between the two answers must not look as if it was not counted.
        found = await self._ask_shards(
            lambda of: [
                ("ZSCORE", of.accepted, "published_ms"),
                ("HMGET", of.meta, "published_ms", "counted_ms", "events"),
            ]
        )
        each = [Freshness(*(int(value or 0) for value in (*counted, accepted))) for accepted, counted in found]
        return Freshness(
            # A shard that nothing waits for may be as old as it likes.
            min((one.published_ms for one in each if one.accepted_ms > one.published_ms), default=0)
            or max(one.published_ms for one in each),
            max(one.counted_ms for one in each),
            sum(one.events for one in each),
            max(one.accepted_ms for one in each),
        )

    async def contents(self, contents: Sequence[str], minutes: range) -> Mapping[str, Mapping[str, int]]:
        """Events of some contents by kind, within these minutes."""
        if not contents:
            return {}
        asked = [(kind, minute) for kind in KINDS for minute in minutes]
        sums: dict[str, Counter[str]] = {}
        for found in await self._ask_shards(
            lambda of: [("HMGET", of.content_minutes(*one), *contents) for one in asked]
        ):
            for (kind, _), values in zip(asked, found, strict=True):
                for content, value in zip(contents, values, strict=True):
                    if value is not None:
                        sums.setdefault(content, Counter())[kind] += int(value)
        return sums

    async def flushes(self, after_ms: int) -> tuple[int, Sequence[Flush]]:
        """The store's time, and every flush after `after_ms`."""
        # The time first: what is flushed later has a later id.
        found = await self._ask_shards(
            lambda of: [("EVAL", TIME, 1, of.flushes), ("XRANGE", of.flushes, f"{after_ms + 1}", "+")]
        )
        # A second is over when it is on every server.
        now_ms = min(int(time[0]) * 1000 + int(time[1]) // 1000 for time, _ in found)
        noted = [_flush(*entry) for _, entries in found for entry in entries]
        return now_ms, sorted(noted, key=lambda flush: flush.at_ms)

    async def accepted(self, published_ms: int, shard: int) -> None:
        """Note that a batch for a shard that was published then is confirmed, unless a newer one was."""
        await self._ask([("ZADD", self._shards[shard].accepted, "GT", f"{published_ms}", "published_ms")])

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

    async def _ask_shards(self, commands_of: Callable[[Shard], _Commands]) -> list[list[Any]]:
        """What each shard answers to its commands, in the order of the shards."""
        asked = [commands_of(shard) for shard in self._shards]
        found = iter(await self._ask([command for commands in asked for command in commands]))
        return [[next(found) for _ in commands] for commands in asked]

    async def _ask(self, commands: _Commands) -> list[Any]:
        try:
            pipeline = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return list(await pipeline.execute())
        except FAILURES as error:
            raise StoreUnavailable(f"the counters cannot be read: {error}") from error


def _flush(name: str, fields: Mapping[str, str]) -> Flush:
    counts = {field: int(value) for field, value in fields.items()}
    return Flush(int(name.partition("-")[0]), counts.pop("delay_ms"), counts)
