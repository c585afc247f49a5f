"""The counters: written by aggregators, read by the API, and what edges say of the batches that they publish."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from analytics.domain.counting import Growth
from analytics.domain.seconds import Flush
from chassis.tracing import Span


class CounterStore(Protocol):
    """The counters, as an aggregator writes them."""

    def add(self, growth: Growth) -> frozenset[bytes]:
        """Add all of it and remember its part ids, at once. Returns an empty set, or the ids of parts that were counted before: then
        nothing is added. Raises chassis.errors.Transient when the store fails; it may have been added all the same."""

    def ping(self) -> None:
        """Return when the store answers. Raises Transient when it does not."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How current the counters are."""

    published_ms: int
    """When the newest batch that is counted was published by an edge; 0 before the first. While something waits it is that of the shard
    that is furthest behind."""
    counted_ms: int
    """When it was counted, by the store's clock."""
    events: int
    """Events counted since the store was made, late, future and flagged ones included."""
    accepted_ms: int
    """When the newest batch that a broker has confirmed was published, as edges note it once a second; 0 before the first."""


class CounterReader(Protocol):
    """The counters, as the API reads them. Every method raises StoreUnavailable when the store does not answer."""

    async def content(self, content: str, minutes: range) -> Mapping[str, Mapping[int, int]]:
        """Events of a content by kind and minute; minutes without any are left out."""

    async def content_totals(self, content: str) -> Mapping[str, int]:
        """Events of a content by kind, of all time."""

    async def user(self, user: str, hours: range) -> Mapping[int, int]:
        """Events of a user by hour; hours without any are left out."""

    async def totals(self, hours: range) -> Mapping[str, Mapping[int, int]]:
        """All events by kind and minute."""

    async def apart(self) -> Mapping[str, int]:
        """Events that are in no other counter, by `late:<kind>`, `future:<kind>` and `flagged:<kind>`; and how many were `refused`."""

    async def freshness(self) -> Freshness:
        """How current the counters are."""

    async def contents(self, contents: Sequence[str], minutes: range) -> Mapping[str, Mapping[str, int]]:
        """Events of some contents by kind, within these minutes; contents and kinds without any are left out."""

    async def flushes(self, after_ms: int) -> tuple[int, Sequence[Flush]]:
        """The store's time, and every flush after `after_ms`, the oldest first; those of the last quarter of an hour are kept."""

    async def close(self) -> None:
        """Close the connections."""


class AcceptedMark(Protocol):
    """What edges note of what they took."""

    async def accepted(self, published_ms: int, shard: int) -> None:
        """Note that a batch for a shard that was published then is confirmed. Raises StoreUnavailable."""


class StoreUnavailable(Exception):
    """The counters cannot be read now."""


class BatchSink(Protocol):
    """Where an edge publishes batches."""

    def publish(self, body: bytes, requests: Sequence[Span] = ()) -> "Future[None]":
        """Publish one, which carries what these requests sent; the future ends once the broker confirmed it, or raises
        chassis.errors.Transient."""

    def waiting_seconds(self) -> float:
        """How long the oldest batch has been waiting for its confirm."""

    def close(self) -> None:
        """End."""
