"""A laptop's spans: what an exporter sends is found by the order that it names, the file stays small, rubbish is refused."""

import gzip
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import StatusCode

from conductor.laptop import trace_store
from conductor.laptop.trace_store import Receiver, Row, TraceStore, traces_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "traces.sqlite"


@pytest.fixture
def store(file: Path) -> Iterator[TraceStore]:
    made = TraceStore(file, most_bytes=1 << 20)
    yield made
    made.close()


@pytest.fixture
def address(store: TraceStore) -> Iterator[str]:
    serving = type("Serving", (Receiver,), {"store": store})
    with ThreadingHTTPServer(("127.0.0.1", 0), serving) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def row(trace: str, began: float = 1.0, **attributes: str) -> Row:
    told = {key.replace("__", "."): value for key, value in attributes.items()}
    return Row(trace, "1", "", "run", "orders", "saga", 1, began, 0.5, False, told)


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_what_an_exporter_sends_is_found_by_what_it_names(address: str, file: Path, compression: Compression) -> None:
    who = Resource.create({"service.name": "orders", "pool": "payments"})
    provider = TracerProvider(resource=who)
    exporter = OTLPSpanExporter(endpoint=f"{address}/v1/traces", compression=compression)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("t")
    with tracer.start_as_current_span("POST /orders") as root:
        with tracer.start_as_current_span("charge", attributes={"order.id": "o-1", "attempt": 2}):
            pass
        root.set_status(StatusCode.ERROR)
    provider.shutdown()

    first, charge = traces_of(file, "order.id", "o-1")

    assert ("POST /orders", "", True) == (first.name, first.parent, first.failed)
    assert ("charge", first.id, False) == (charge.name, charge.parent, charge.failed)
    assert ("orders", "payments") == (charge.service, charge.pool)
    assert {"order.id": "o-1", "attempt": 2} == charge.attributes
    assert 0 <= charge.seconds < 5
    assert [] == list(traces_of(file, "order.id", "o-2"))


def test_no_file_has_no_traces(tmp_path: Path) -> None:
    assert [] == list(traces_of(tmp_path / "none", "order.id", "o-1"))


def test_a_span_that_comes_twice_is_kept_once(store: TraceStore, file: Path) -> None:
    store.add([row("t", order__id="o-1")] * 2)
    store.add([row("t", order__id="o-1")])

    assert 1 == len(list(traces_of(file, "order.id", "o-1")))


def test_the_oldest_go_when_the_file_has_grown(store: TraceStore, file: Path) -> None:
    for second in range(60):
        store.add([row(f"{second}-{n}", second, order__id=f"o-{second}", x="y" * 200) for n in range(100)])

    assert store.bytes() <= 1 << 20
    assert file.stat().st_size < 2 << 20
    assert [] == list(traces_of(file, "order.id", "o-0"))
    assert 100 == len(list(traces_of(file, "order.id", "o-59")))


BOMB = gzip.compress(b"\0" * (trace_store.BODY_BYTES + 1))


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\xff\xff\xff", {}, 400),
        (b"no gzip", {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"x" * 100)[:-9], {"Content-Encoding": "gzip"}, 400),
        (BOMB, {"Content-Encoding": "gzip"}, 400),
        (b"", {"Content-Encoding": "zstd"}, 400),
        (b"", {}, 200),
    ],
    ids=[
        "no spans",
        "no gzip",
        "a cut gzip",
        "a bomb",
        "another encoding",
        "nothing",
    ],  # gzip writes the time into its bytes
)
def test_what_cannot_be_read_is_refused(address: str, body: bytes, headers: dict[str, str], status: int) -> None:
    assert status == httpx.post(f"{address}/v1/traces", content=body, headers=headers).status_code
    assert 200 == httpx.get(f"{address}/health").status_code


def test_a_body_beyond_the_limit_is_not_read(address: str) -> None:
    client = HTTPConnection(address.removeprefix("http://"), timeout=10)
    client.putrequest("POST", "/v1/traces")
    client.putheader("Content-Length", str(trace_store.BODY_BYTES + 1))
    client.endheaders()

    assert 413 == client.getresponse().status
    client.close()
