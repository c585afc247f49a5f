"""What the use cases need from outside, as protocols."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from analytics.domain.batch import Batch
from analytics.domain.counting import Growth
from analytics.domain.seconds import Flush
from analytics.domain.trends import Measure
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


@dataclass(frozen=True, slots=True)
class TrendReport:
    """What one replica says of the candidates for trends."""

    at_ms: int
    measures: Mapping[str, Mapping[str, Mapping[str, Measure]]]
    """By subject, window and key."""


class TrendBoard(Protocol):
    """Where replicas keep their trends, as they use it. Every method raises chassis.errors.Transient when the store fails."""

    def report(self, replica: str, report: TrendReport) -> None:
        """Replace the replica's report."""

    def reports(self) -> Mapping[str, TrendReport]:
        """The last report of each replica."""

    def save(self, replica: str, state: Mapping[str, bytes], *, instead_of: str | None = None) -> bool:
        """Replace the replica's saved state, and remove what is of `instead_of`, at once. False, and nothing is done, when that has no
        state any more."""

    def owns(self, replica: str) -> bool:
        """Whether the replica has a saved state."""

    def state(self, replica: str) -> Mapping[str, bytes] | None:
        """The replica's saved state, by subject."""

    def dead(self, *, since_ms: int, but: str) -> list[str]:
        """Replicas with a saved state that have not reported since; `but` is none of them.

        Reports that are as old, of replicas without a saved state, are removed."""


class TrendReader(Protocol):
    """The trends, as the API reads them."""

    async def trend_reports(self) -> Mapping[str, TrendReport]:
        """The last report of each replica. Raises StoreUnavailable."""


class EngagementStore(Protocol):
    """Who engaged with what, and what was learned from it. Every method raises chassis.errors.Transient when the store fails."""

    def note(self, engagements: Mapping[str, Sequence[str]]) -> None:
        """Keep contents by user until they are learned."""

    def waiting(self, limit: int) -> list[str]:
        """At most `limit` users with contents that are not learned."""

    def learn(
        self, user: str, decide: Callable[[Sequence[str], Sequence[str]], tuple[list[str], list[tuple[str, str]]]]
    ) -> None:
        """Give `decide` the user's history and what is new, and apply what it returns (contents that join the history, and pairs with one
        more common user) at once, however many workers do so for one user."""

    def history(self, user: str) -> list[str]:
        """Contents of the user that are learned, the oldest first."""

    def neighbours(self, contents: Sequence[str]) -> Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]]:
        """For each of `contents` the common users with others, and the users of each content."""

    def keep(self, user: str, contents: Sequence[str]) -> None:
        """Replace what is recommended to the user."""


class RecommendationReader(Protocol):
    """The recommendations, as the API reads them."""

    async def recommended(self, user: str) -> tuple[list[str], list[str], list[str]]:
        """What is kept for a user, the user's history, and the most popular contents. Raises StoreUnavailable."""


class AcceptedMark(Protocol):
    """What edges note of what they took."""

    async def accepted(self, published_ms: int, shard: int) -> None:
        """Note that a batch for a shard that was published then is confirmed. Raises StoreUnavailable."""


class StoreUnavailable(Exception):
    """The counters cannot be read now."""


class ArchiveWriter(Protocol):
    """The archive, as an archiver writes it."""

    def rows(self, batch: Batch) -> Any:
        """The events of a batch as they are archived. Raises analytics.domain.errors.BatchRefused."""

    def write(self, batches: Sequence[Any]) -> None:
        """Write the rows of some batches; they are durable when it returns. Raises chassis.errors.Transient."""

    def ping(self) -> None:
        """Return when the archive takes files. Raises Transient when it does not."""


@dataclass(frozen=True, slots=True)
class Archived:
    """How often something was archived."""

    events: int
    """Each part once, which is what counters count."""
    distinct: int
    """Events that differ in id, user, content, kind or time: a client that sent an event again under another key sent one of these."""


class ArchiveHour(Protocol):
    """One hour of the archive, without late, future and flagged events."""

    def totals(self) -> Mapping[tuple[str, int], Archived]:
        """By kind and minute."""

    def contents(self, minute: int) -> Mapping[tuple[str, str], Archived]:
        """By kind and content, in one minute."""

    def users(self) -> Mapping[str, Archived]:
        """By user; erased ones are left out."""


class ArchiveReader(Protocol):
    """The archive, as it is recounted. Every method raises chassis.errors.Transient when the archive fails."""

    def hours(self, hours: range) -> AbstractContextManager[Iterator[tuple[int, ArchiveHour]]]:
        """Each of some hours since 1970, one after the other; an hour is gone when the next is taken."""


class CounterHours(Protocol):
    """The counters as they are recounted, by hours and minutes since 1970. Every method raises chassis.errors.Transient."""

    def totals(self, hour: int) -> Mapping[tuple[str, int], int]:
        """By kind and minute."""

    def contents(self, minute: int) -> Mapping[tuple[str, str], int]:
        """By kind and content."""

    def users(self, hour: int) -> Mapping[str, int]:
        """By user."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a report shows of a period: events on time and backfilled ones, each part once."""

    kinds: Sequence[tuple[str, int, int]]
    """Kind, events, and events without those that were sent again under another key."""
    top: Sequence[tuple[str, str, int, int, int]]
    """Content, kind, events, the same without repetitions, users; the largest first."""
    users: int
    """Users that did something; erased ones are not counted."""
    parquet: Path
    csv: Path
    """All contents, in files that are gone with the context."""


class ReportSource(Protocol):
    """What reports are made of. Every method raises chassis.errors.Transient when the archive fails."""

    def fingerprint(self, begin_ms: int, end_ms: int) -> str:
        """Something that changes when events of the period are archived; empty when there are none."""

    def summary(self, begin_ms: int, end_ms: int) -> AbstractContextManager[Summary]:
        """What there is of a period."""


class ReportFiles(Protocol):
    """Where reports are put."""

    def put_report(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Write the files of a report, the page last. Raises chassis.errors.Transient."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A report as it was made."""

    period: str
    """`hour` or `day`."""
    begin_ms: int
    revision: int
    """1 for the first."""
    fingerprint: str
    digest: str
    """Of what the report shows."""
    events: int
    folder: str


class RevisionStore(Protocol):
    """Which reports were made, the newest revision of each. Every method raises chassis.errors.Transient when the database fails."""

    def newest(self, period: str, begin_ms: int) -> Revision | None:
        """The newest revision of a period's report."""

    def add(self, made: Revision) -> bool:
        """Note a revision; False when somebody else noted the same number."""

    def unchanged(self, made: Revision, fingerprint: str) -> None:
        """Note that a report shows what it would with this fingerprint as well."""


class Place(Protocol):
    """Something that keeps ids of users."""

    def erase(self, user: str) -> Mapping[str, Any]:
        """Erase the user here; what was found, for the receipt. Raises chassis.errors.Transient; what was erased stays erased."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one erasure found. It holds no id of a user."""

    user_sha256: str
    begun_ms: int
    ended_ms: int
    places: Mapping[str, Mapping[str, Any]]


class Receipts(Protocol):
    """Where receipts are kept."""

    def keep(self, receipt: Receipt, actor: str) -> int:
        """Keep a receipt; its number. Raises Transient."""


class BatchSink(Protocol):
    """Where an edge publishes batches."""

    def publish(self, body: bytes, requests: Sequence[Span] = ()) -> "Future[None]":
        """Publish one, which carries what these requests sent; the future ends once the broker confirmed it, or raises
        chassis.errors.Transient."""

    def waiting_seconds(self) -> float:
        """How long the oldest batch has been waiting for its confirm."""

    def close(self) -> None:
        """End."""
