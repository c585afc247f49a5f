"""The archive: written by archivers, and recounted against the counters."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from analytics.domain.batch import Batch


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
