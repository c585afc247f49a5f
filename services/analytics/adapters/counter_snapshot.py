"""Reads whole counters from Redis or Valkey, an hour or a minute at a time, for a recount."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from analytics.adapters.counter_keys import Shard
from analytics.adapters.store_clients import FAILURES
from analytics.domain.events import KINDS
from chassis.errors import Transient


class CounterSnapshot:
    """See ports.CounterHours. A counter is the sum of that counter in all shards."""

    def __init__(self, client: Any, shards: Sequence[Shard]) -> None:
        """`client` decodes what it reads."""
        self._client = client
        self._shards = shards

    def totals(self, hour: int) -> Mapping[tuple[str, int], int]:
        """By kind and minute."""
        return _summed(
            ((kind, int(minute)), events)
            for found in self._hashes(lambda of: [of.totals(kind, hour) for kind in KINDS])
            for kind, counts in zip(KINDS, found, strict=True)
            for minute, events in counts.items()
        )

    def contents(self, minute: int) -> Mapping[tuple[str, str], int]:
        """By kind and content."""
        return _summed(
            ((kind, content), events)
            for found in self._hashes(lambda of: [of.content_minutes(kind, minute) for kind in KINDS])
            for kind, counts in zip(KINDS, found, strict=True)
            for content, events in counts.items()
        )

    def users(self, hour: int) -> Mapping[str, int]:
        """By user."""
        return _summed(pair for (found,) in self._hashes(lambda of: [of.user_hours(hour)]) for pair in found.items())

    def _hashes(self, names_of: Callable[[Shard], list[str]]) -> Iterator[list[dict[str, int]]]:
        """What the hashes of each shard have."""
        for shard in self._shards:
            yield [{field: int(value) for field, value in found.items()} for found in self._read(names_of(shard))]

    def _read(self, names: list[str]) -> Any:
        try:
            pipe = self._client.pipeline(transaction=False)
            for name in names:
                pipe.hgetall(name)
            return pipe.execute()
        except FAILURES as error:
            raise Transient(f"the counters cannot be read: {error}") from error


def _summed(counts: Any) -> Counter[Any]:
    sums: Counter[Any] = Counter()
    for name, events in counts:
        sums[name] += events
    return sums
