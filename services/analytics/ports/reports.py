"""What reports are made of, where they are put, and which were made."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


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
