"""Reads the archive with DuckDB, which holds little in memory and spills the rest to a disk.

Each part is taken from the first file that has it, because a batch may have been delivered to two archivers.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import duckdb

from analytics.adapters.archive_files import ArchiveFiles
from analytics.domain.events import COUNTED, HOUR_MS, MINUTE_MS
from analytics.ports.archive import Archived, ArchiveHour
from analytics.ports.reports import Summary
from chassis.errors import Transient

MEMORY = "512MB"

_LOAD = """
CREATE OR REPLACE TEMP TABLE hour AS
WITH found AS (
    SELECT part, id, "user", content, kind, at_ms, topics, filename FROM read_parquet($files, filename = true, union_by_name = true)
    WHERE at_ms >= $begin AND at_ms < $end AND list_contains($counted, timing)
), first AS (SELECT part, min(filename) AS filename FROM found GROUP BY part)
SELECT id, "user", content, kind, at_ms, at_ms // 60000 AS minute, topics,
    "user" = '' OR row_number() OVER (PARTITION BY id, "user", content, kind, at_ms) = 1 AS fresh
FROM found JOIN first USING (part, filename)
"""
"""Of an erased event no id is left, so none is taken for another one's repetition."""

_REPORT = """
CREATE OR REPLACE TEMP TABLE report AS
SELECT content, kind, count(*) AS events, count(*) FILTER (WHERE fresh) AS distinct_events,
    count(DISTINCT nullif("user", '')) AS users
FROM hour GROUP BY ALL ORDER BY content, kind
"""
_KINDS = "SELECT kind, count(*), count(*) FILTER (WHERE fresh) FROM hour GROUP BY kind ORDER BY kind"
_COUNTS = "count(*), count(*) FILTER (WHERE fresh) FROM hour"


class ArchiveQuery:
    """See ports.ArchiveReader and ports.ReportSource."""

    def __init__(self, files: ArchiveFiles, *, late_ms: int, future_ms: int) -> None:
        """An event on time was published between `future_ms` before and `late_ms` after it happened."""
        self._files = files
        self._late_ms = late_ms
        self._future_ms = future_ms

    @contextmanager
    def hours(self, hours: range) -> Iterator[Iterator[tuple[int, ArchiveHour]]]:
        """See ports."""
        with self._connected() as connection:
            yield ((hour, _Hour(self._loaded(connection, hour * HOUR_MS, (hour + 1) * HOUR_MS))) for hour in hours)

    def fingerprint(self, begin_ms: int, end_ms: int) -> str:
        """See ports.ReportSource. Of the files' names, which never hold anything else later; an erasure keeps what a report shows."""
        names = "\0".join(path.removeprefix(self._files.root) for path in self._paths(begin_ms, end_ms))
        return blake2b(names.encode(), digest_size=16).hexdigest() if names else ""

    @contextmanager
    def summary(self, begin_ms: int, end_ms: int) -> Iterator[Summary]:
        """See ports.ReportSource."""
        with self._connected() as connection, tempfile.TemporaryDirectory(prefix="report-") as folder:
            if self._loaded(connection, begin_ms, end_ms) is None:
                raise Transient("the archive has no file of the period any more")
            table, text = Path(folder, "report.parquet"), Path(folder, "report.csv")
            connection.execute(_REPORT)
            connection.execute(f"COPY report TO '{table}' (FORMAT parquet, COMPRESSION zstd)")
            connection.execute(f"COPY report TO '{text}' (FORMAT csv, HEADER)")
            kinds = connection.execute(_KINDS).fetchall()
            top = connection.execute("SELECT * FROM report ORDER BY events DESC, content, kind LIMIT 50").fetchall()
            users = connection.execute('SELECT count(DISTINCT "user") FROM hour WHERE "user" != \'\'').fetchone()
            yield Summary(kinds, top, users[0], table, text)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        with tempfile.TemporaryDirectory(prefix="archive-query-") as folder:
            settings: dict[str, str | bool | int | float | list[str]] = {
                "memory_limit": MEMORY,
                "temp_directory": folder,
                "threads": 2,
            }
            with duckdb.connect(config=settings) as connection:
                if not self._files.local:
                    connection.register_filesystem(self._files.filesystem)
                yield connection

    def _paths(self, begin: int, end: int) -> list[str]:
        """The files that may have counted events of a range of milliseconds."""
        # A batch is published some time after its events were judged to be on time, so an hour more on either side.
        published = range((begin - self._future_ms) // HOUR_MS - 1, (end + self._late_ms) // HOUR_MS + 2)
        minutes = range(begin // MINUTE_MS, -(-end // MINUTE_MS))
        return [
            file.path
            for file in self._files.files(published)
            if file.minutes.start < minutes.stop and file.minutes.stop > minutes.start
        ]

    def _loaded(self, connection: Any, begin: int, end: int) -> Any:
        """The connection with the table `hour` of a range of milliseconds; None when nothing is archived of it."""
        paths = self._paths(begin, end)
        if not paths:
            return None
        if not self._files.local:
            protocol = self._files.filesystem.protocol
            paths = [f"{protocol if isinstance(protocol, str) else protocol[0]}://{path}" for path in paths]
        try:
            range_of = {"begin": begin, "end": end, "counted": [int(timing) for timing in COUNTED]}
            connection.execute(_LOAD, {"files": paths, **range_of})
        except duckdb.Error as error:
            raise Transient(f"the archive cannot be read: {error}") from error
        return connection


class _Hour:
    """See ports.ArchiveHour."""

    def __init__(self, connection: Any) -> None:
        """Without a connection it is empty."""
        self.connection = connection

    def totals(self) -> Mapping[tuple[str, int], Archived]:
        """By kind and minute."""
        return self._counts(f"SELECT kind, minute, {_COUNTS} GROUP BY ALL")

    def contents(self, minute: int) -> Mapping[tuple[str, str], Archived]:
        """By kind and content, in one minute."""
        return self._counts(f"SELECT kind, content, {_COUNTS} WHERE minute = ? GROUP BY ALL", minute)

    def users(self) -> Mapping[str, Archived]:
        """By user."""
        found: Any = self._counts(f'SELECT "user", {_COUNTS} WHERE "user" != \'\' GROUP BY ALL')
        return {user: count for (user,), count in found.items()}

    def _counts(self, query: str, *values: Any) -> Mapping[Any, Archived]:
        if self.connection is None:
            return {}
        rows = self.connection.execute(query, values).fetchall()
        return {tuple(key): Archived(events, distinct) for *key, events, distinct in rows}
