"""The archive: files of Parquet, by the hour in which an edge published them, on a disk or in object storage.

    <root>/hour=2026-11-28T17/<first minute>-<last minute>-<digest>.parquet
    <root>/backfill/hour=2026-11-28T17/…

Minutes are those of the events, since 1970. The digest is of the part ids, so that a window that is written again finds its file. A file
is whole or not there: on a disk it is written beside its place, synced and renamed; object storage does the same by itself. A batch that
was delivered twice with other neighbours is in two files; a reader takes each part from one file only (see archive_query).
"""

import io
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics.domain.batch import Batch, detail
from analytics.domain.errors import BatchRefused
from analytics.domain.events import HOUR_MS, KINDS, MINUTE_MS, Timing
from chassis.errors import Transient

SCHEMA = pa.schema(
    [
        ("part", pa.binary(16)),
        ("id", pa.string()),
        ("user", pa.string()),
        ("content", pa.string()),
        ("kind", pa.string()),
        ("at_ms", pa.int64()),
        ("timing", pa.int8()),
        ("topics", pa.list_(pa.string())),
    ]
)
"""One row an event; `timing` is a `Timing`. A new column is appended, and readers take it as absent from older files."""

ROW_GROUP = 128 * 1024
ZSTD_LEVEL = 3
SYNC = ".tried"
BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class Rows:
    """The events of a batch as they are archived."""

    published_ms: int
    parts: tuple[bytes, ...]
    table: pa.Table
    backfilled: bool
    """Whether any event is: a batch is of one door."""


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file, by what its name says."""

    path: str
    published_hour: int
    minutes: range
    backfilled: bool
    """It may have events of any age."""


class ArchiveFiles:
    """See ports.ArchiveWriter."""

    def __init__(self, url: str) -> None:
        """Opens nothing. Raises ValueError for a protocol that fsspec does not know, ImportError when its driver is not installed."""
        self.filesystem, root = fsspec.core.url_to_fs(url)
        self.root = str(root)
        self.local = "file" in _protocols(self.filesystem)

    def rows(self, batch: Batch) -> Rows:
        """See ports.ArchiveWriter."""
        columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
        for group in batch.groups:
            ids, milliseconds, topics = detail(group)
            events = len(group.contents)
            if not len(ids) == len(milliseconds) == len(topics) == events:
                raise BatchRefused(f"a group has {events} contents and {len(ids)} ids")
            columns["id"] += ids
            columns["user"] += group.users
            columns["content"] += group.contents
            columns["kind"] += [KINDS[group.kind]] * events
            base = group.minute * MINUTE_MS
            columns["at_ms"] += [base + millisecond for millisecond in milliseconds]
            columns["timing"] += [group.timing] * events
            columns["topics"] += topics
            for index, count in zip(group.runs[::2], group.runs[1::2], strict=True):
                columns["part"] += [index] * count
        kept = {part: index for index, part in reversed(list(enumerate(batch.parts)))}
        indices = pa.array(columns.pop("part"), pa.int32())
        parts = pa.array(batch.parts, pa.binary(16)).take(indices)
        topics_column = _lists(columns.pop("topics"))
        arrays = [
            parts,
            *(pa.array(values, SCHEMA.field(name).type) for name, values in columns.items()),
            topics_column,
        ]
        table = pa.Table.from_arrays(arrays, schema=SCHEMA)
        if len(kept) < len(batch.parts):  # a part that was sent twice within one batch
            table = table.filter(pc.is_in(indices, pa.array(kept.values(), pa.int32())))
        backfilled = any(group.timing == Timing.BACKFILLED for group in batch.groups)
        return Rows(batch.published_ms, tuple(kept), table, backfilled)

    def write(self, batches: Sequence[Rows]) -> None:
        """See ports.ArchiveWriter. One file for each hour in which they were published, and one for what was backfilled."""
        files: defaultdict[tuple[int, bool], list[Rows]] = defaultdict(list)
        for batch in batches:
            files[batch.published_ms // HOUR_MS, batch.backfilled].append(batch)
        for (hour, backfilled), found in files.items():
            table, parts = _once(found)
            if table.num_rows:
                self._put_new(self._path(hour, table, parts, backfilled=backfilled), table)

    def _put_new(self, path: str, table: pa.Table) -> None:
        """Write a file that is not there. One that is has these parts as they came first, and perhaps without erased users."""
        try:
            known = self.filesystem.exists(path)
        except OSError as error:
            raise Transient(f"the archive does not answer: {error}") from error
        if not known:
            self.put(path, table)

    def put(self, path: str, table: pa.Table) -> None:
        """Write a file, or replace it at once. Raises Transient."""
        body = io.BytesIO()
        pq.write_table(
            table, body, row_group_size=ROW_GROUP, compression="zstd", compression_level=ZSTD_LEVEL,
            use_dictionary=["part", "user", "content", "kind", "timing", "topics.list.element"],
        )  # fmt: skip
        self._store(path, body.getbuffer())

    def ping(self) -> None:
        """See ports.ArchiveWriter."""
        self._store(f"{self.root}/{SYNC}", memoryview(b"."))

    def files(self, published: range | None = None) -> list[ArchiveFile]:
        """The files of some hours since 1970, of all when there are none given, in the order of their names, and every backfilled file.

        Raises Transient.
        """
        try:
            self.filesystem.invalidate_cache()
            folders = sorted(self.filesystem.glob(f"{self.root}/hour=*"))
            wanted = [(each, False) for each in folders if published is None or _hour_of(each) in published]
            wanted += [(each, True) for each in sorted(self.filesystem.glob(f"{self.root}/{BACKFILL}/hour=*"))]
            return [
                ArchiveFile(path, _hour_of(folder), _minutes_of(path), backfilled)
                for folder, backfilled in wanted
                for path in sorted(self.filesystem.glob(f"{folder}/*.parquet"))
            ]
        except OSError as error:
            raise Transient(f"the archive cannot be listed: {error}") from error

    def put_report(self, folder: str, files: Mapping[str, bytes]) -> None:
        """See ports.ReportFiles."""
        for name, body in files.items():
            self._store(f"{self.root}/{folder}/{name}", memoryview(body))

    def remove_before(self, hour: int) -> list[str]:
        """Remove what was published before an hour since 1970; the folders that are gone. Raises Transient."""
        gone = sorted({str(Path(file.path).parent) for file in self.files() if file.published_hour < hour})
        try:
            for folder in gone:
                self.filesystem.rm(folder, recursive=True)
        except OSError as error:
            raise Transient(f"the archive cannot be removed from: {error}") from error
        return gone

    def _path(self, hour: int, table: pa.Table, parts: Iterable[bytes], *, backfilled: bool) -> str:
        found = pc.min_max(table["at_ms"])
        first, last = found["min"].as_py() // MINUTE_MS, found["max"].as_py() // MINUTE_MS
        digest = blake2b(b"".join(sorted(parts)), digest_size=12).hexdigest()
        root = f"{self.root}/{BACKFILL}" if backfilled else self.root
        return f"{root}/hour={datetime.fromtimestamp(hour * 3600, UTC):%Y-%m-%dT%H}/{first}-{last}-{digest}.parquet"

    def _store(self, path: str, body: memoryview) -> None:
        try:
            if self.local:
                _replace(Path(path), body)
            else:
                self.filesystem.pipe_file(path, bytes(body))
        except Exception as error:
            # Drivers of object storage have errors of their own, and every one is of the store: a person mends it, and nothing is lost.
            raise Transient(f"the archive takes no file: {error!r}") from error


def _replace(path: Path, body: memoryview) -> None:
    """Write a file so that it is whole, and there after a loss of power, or not there at all."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        _sync(path.parent.parent)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _once(batches: Sequence[Rows]) -> tuple[pa.Table, set[bytes]]:
    """The rows of some batches, each part once."""
    seen: set[bytes] = set()
    tables = []
    for batch in batches:
        known = seen.intersection(batch.parts)
        table = batch.table
        if known:
            table = table.filter(pc.invert(pc.is_in(table["part"], pa.array(sorted(known), pa.binary(16)))))
        seen.update(batch.parts)
        tables.append(table)
    return pa.concat_tables(tables), seen


def _lists(values: Sequence[Sequence[str]]) -> pa.Array:
    """A column of lists; several times faster than Arrow's own conversion."""
    offsets = pa.array(list(accumulate(map(len, values), initial=0)), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(list(chain.from_iterable(values)), pa.string()))


def _protocols(filesystem: Any) -> Iterator[str]:
    names = filesystem.protocol
    return iter((names,) if isinstance(names, str) else names)


def _hour_of(folder: str) -> int:
    named = folder.rstrip("/").rpartition("hour=")[2]
    return int(datetime.strptime(named, "%Y-%m-%dT%H").replace(tzinfo=UTC).timestamp()) // 3600


def _minutes_of(path: str) -> range:
    first, last, _ = Path(path).stem.split("-")
    return range(int(first), int(last) + 1)
