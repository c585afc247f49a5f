"""The spans of a laptop's processes, kept in one SQLite file: `python -m conductor.laptop.trace_store --port P --file F`.

It takes what OpenTelemetry's exporters send (OTLP over HTTP, protobuf; https://opentelemetry.io/docs/specs/otlp/) and keeps the newest, up
to a size. Readers open the file themselves. It is for one machine with some thousand spans a minute; a cluster has Jaeger or Tempo.
"""

import argparse
import contextlib
import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from conductor.http_server import HttpServer

BODY_BYTES = 16 << 20
"""More in one request is refused; an exporter sends at most 512 spans."""

MOST_BYTES = 200 << 20
"""The file is kept below this."""

FORGOTTEN_SHARE = 0.1
"""How many of the spans go at a time, the oldest first, when the file has grown too large."""

VERSION = 2
"""Of the tables."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (
    trace TEXT NOT NULL, id TEXT NOT NULL, parent TEXT NOT NULL, name TEXT NOT NULL, service TEXT NOT NULL, pool TEXT NOT NULL,
    kind INTEGER NOT NULL, began REAL NOT NULL, seconds REAL NOT NULL, failed INTEGER NOT NULL, attributes TEXT NOT NULL,
    events TEXT NOT NULL,
    PRIMARY KEY (trace, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS links (
    trace TEXT NOT NULL, id TEXT NOT NULL, to_trace TEXT NOT NULL, to_id TEXT NOT NULL, PRIMARY KEY (trace, id, to_trace, to_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_to ON links (to_trace, to_id);
CREATE INDEX IF NOT EXISTS spans_by_time ON spans (began);
CREATE TABLE IF NOT EXISTS subjects (
    key TEXT NOT NULL, value TEXT NOT NULL, trace TEXT NOT NULL, PRIMARY KEY (key, value, trace)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS subjects_by_trace ON subjects (trace);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A span. `kind` as in OTLP, times in seconds; `links` are (trace, span), `events` (name, seconds since the epoch, attributes)."""

    trace: str
    id: str
    parent: str
    name: str
    service: str
    pool: str
    kind: int
    began: float
    seconds: float
    failed: bool
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[tuple[str, float, Mapping[str, Any]]] = ()
    links: Sequence[tuple[str, str]] = ()


class TraceStore:
    """The file. One process writes, any number read."""

    def __init__(self, file: Path, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._one_at_a_time = threading.Lock()
        self._database = sqlite3.connect(file, check_same_thread=False)
        # Spans may be lost with the machine, never the file.
        self._database.executescript(
            "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        )
        if self._database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            # Of another version: what it holds is not worth a migration.
            self._database.executescript(
                "DROP TABLE IF EXISTS spans; DROP TABLE IF EXISTS subjects; DROP TABLE IF EXISTS links;"
            )
        self._database.executescript(f"{SCHEMA} PRAGMA user_version={VERSION};")

    def add(self, rows: Sequence[Row]) -> None:
        """Keep these spans; one that is there already is kept once. An attribute whose key ends in `.id` finds its trace."""
        subjects = {
            (key, str(value), row.trace)
            for row in rows
            for key, value in row.attributes.items()
            if key.endswith(".id") and not key.startswith("messaging.")
        }
        links = [(row.trace, row.id, *link) for row in rows for link in row.links]
        with self._one_at_a_time, self._database:
            self._database.executemany(
                "INSERT OR IGNORE INTO spans VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", [_written(row) for row in rows]
            )
            self._database.executemany("INSERT OR IGNORE INTO links VALUES (?,?,?,?)", links)
            self._database.executemany("INSERT OR IGNORE INTO subjects VALUES (?,?,?)", sorted(subjects))
        if self.bytes() > self._most_bytes:
            self._forget()

    def bytes(self) -> int:
        """How much of the file is used."""
        pages, free, size = (
            self._database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _forget(self) -> None:
        """Drop the oldest traces."""
        with self._one_at_a_time, self._database:
            count = self._database.execute("SELECT count(*) FROM spans").fetchone()[0]
            row = self._database.execute(
                "SELECT began FROM spans ORDER BY began LIMIT 1 OFFSET ?", (int(count * FORGOTTEN_SHARE),)
            ).fetchone()
            self._database.execute("DELETE FROM spans WHERE began <= ?", row)
            for table in ("subjects", "links"):
                self._database.execute(f"DELETE FROM {table} WHERE trace NOT IN (SELECT trace FROM spans)")
        self._database.execute("PRAGMA incremental_vacuum")

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def _written(row: Row) -> tuple[Any, ...]:
    told = (
        row.trace,
        row.id,
        row.parent,
        row.name,
        row.service,
        row.pool,
        row.kind,
        row.began,
        row.seconds,
        row.failed,
    )
    return (*told, json.dumps(dict(row.attributes)), json.dumps(list(row.events)))


# The traces in which the subject is named; those that a span which names it is linked with, or that link to such a one; and those that
# took a message (kind 4 sends one) that is among these.
_STORY = """
    WITH named AS (SELECT trace FROM subjects WHERE key = :key AND value = :value),
    mine AS (SELECT trace, id FROM spans WHERE trace IN named AND json_extract(attributes, '$."' || :key || '"') = :value),
    linked AS (
        SELECT l.to_trace AS trace FROM links l JOIN mine USING (trace, id)
        UNION SELECT l.trace FROM links l JOIN mine ON (l.to_trace, l.to_id) = (mine.trace, mine.id)
    ),
    taken AS (
        SELECT l.trace FROM spans s JOIN links l ON (l.to_trace, l.to_id) = (s.trace, s.id)
        WHERE s.kind = 4 AND s.trace IN (SELECT trace FROM linked)
    ),
    story AS (SELECT trace FROM named UNION SELECT trace FROM linked UNION SELECT trace FROM taken)
    SELECT * FROM spans WHERE trace IN story ORDER BY began
"""


def traces_of(file: Path, key: str, value: str) -> Iterator[Row]:
    """Every span of every trace in which some span has this attribute, or with which such a span is linked; none without a file."""
    yield from _found(file, _STORY, {"key": key, "value": value})


def spans_of(file: Path) -> list[Row]:
    """Every span that is kept, by its beginning; none without a file."""
    return list(_found(file, "SELECT * FROM spans ORDER BY began", {}))


def _found(file: Path, asked: str, values: Mapping[str, str]) -> Iterator[Row]:
    if not file.exists():
        return
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        found = database.execute(asked, values).fetchall()
        links: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for trace in {row[0] for row in found}:
            for _, span, *to in database.execute("SELECT * FROM links WHERE trace = ?", (trace,)):
                links.setdefault((trace, span), []).append((to[0], to[1]))
    for trace, span, parent, name, service, pool, kind, began, seconds, failed, attributes, events in found:
        yield Row(
            trace, span, parent, name, service, pool, kind, began, seconds, bool(failed),
            json.loads(attributes), json.loads(events), links.get((trace, span), ()),
        )  # fmt: skip


def rows_of(body: bytes) -> Iterator[Row]:
    """The spans of one request in protobuf. ValueError when it cannot be read."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise ValueError(f"no OTLP request: {error}") from None
    for resource in request.resource_spans:
        of = _attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                began = span.start_time_unix_nano
                yield Row(
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.name,
                    str(of.get("service.name", "")),
                    str(of.get("pool", "")),
                    span.kind,
                    began / 1e9,
                    (span.end_time_unix_nano - began) / 1e9,
                    span.status.code == span.status.STATUS_CODE_ERROR,
                    _attributes(span.attributes) | ({"status": span.status.message} if span.status.message else {}),
                    [(event.name, event.time_unix_nano / 1e9, _attributes(event.attributes)) for event in span.events],
                    [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                )


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    """Texts, numbers and truths by their keys; lists and maps as text."""
    found = {}
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind) if kind else ""
        found[pair.key] = value if isinstance(value, str | bool | int | float) else str(value)
    return found


class Receiver(BaseHTTPRequestHandler):
    """`POST /v1/traces`, and `GET /health`."""

    store: TraceStore
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        """Keep the spans; 400 for what cannot be read."""
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/v1/traces":
            self._answer(404, b"POST /v1/traces")
        elif length > BODY_BYTES:
            self.close_connection = True
            self._answer(413, f"{length} bytes are more than {BODY_BYTES}".encode())
        else:
            self._answer(*self._kept(self.rfile.read(length)))

    def _kept(self, body: bytes) -> tuple[int, bytes]:
        try:
            self.store.add(list(rows_of(_plain(body, self.headers.get("Content-Encoding", "identity")))))
        except ValueError as error:
            return 400, str(error).encode()
        return 200, b""  # in protobuf an empty message, which is a full success

    def do_GET(self) -> None:
        """Whether it listens."""
        self._answer(*((200, b"ok") if self.path == "/health" else (404, b"GET /health")))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if body else "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Says nothing: an exporter comes twice a second."""


def _plain(body: bytes, encoding: str) -> bytes:
    """The body as it was before gzip; ValueError when it is none, or more than BODY_BYTES."""
    if encoding == "identity":
        return body
    if encoding != "gzip":
        raise ValueError(f"Content-Encoding {encoding!r}: identity and gzip are understood")
    try:
        plain = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        found = plain.decompress(body, BODY_BYTES)
    except zlib.error as error:
        raise ValueError(f"no gzip: {error}") from None
    if not plain.eof:
        raise ValueError(f"cut short, or more than {BODY_BYTES} bytes")
    return found


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--most-bytes", type=int, default=MOST_BYTES)
    asked = parser.parse_args()
    Receiver.store = TraceStore(asked.file, asked.most_bytes)
    with HttpServer(("127.0.0.1", asked.port), Receiver) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
