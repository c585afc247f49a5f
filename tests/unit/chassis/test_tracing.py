"""Without an endpoint tracing does nothing; with one, a trace goes from header to header."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chassis import tracing
from chassis.settings import ServiceSettings


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Tracing into memory."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_provider", provider)
    yield exporter.get_finished_spans
    provider.shutdown()


def test_without_an_endpoint_every_call_does_nothing() -> None:
    tracing.start(ServiceSettings(database_url="postgresql+psycopg://h/d", broker_url="amqp://h/v"), "shop")

    with tracing.span("x"):
        assert tracing.inject() == {}
    assert tracing.extract({"traceparent": "x"}) is None
    tracing.stop()


def test_a_span_continues_what_another_process_injected(spans: Any) -> None:
    with tracing.span("order"):
        headers = tracing.inject()
    with tracing.span("step", headers=headers, order__id="o-1"):
        pass

    order, step = spans()
    assert (step.context.trace_id, step.parent.span_id) == (order.context.trace_id, order.context.span_id)
    assert step.attributes["order.id"] == "o-1"


def test_headers_without_a_trace_begin_a_new_one(spans: Any) -> None:
    with tracing.span("step", headers={"traceparent": None}):
        pass

    assert spans()[0].parent is None


def test_an_exception_marks_the_span_as_failed(spans: Any) -> None:
    with pytest.raises(ValueError, match="boom"), tracing.span("step"):
        raise ValueError("boom")

    assert spans()[0].status.status_code.name == "ERROR"


def test_outside_of_a_span_there_is_nothing_to_inject(spans: Any) -> None:
    assert tracing.inject() == {}


@contextlib.contextmanager
def collector(answer: Callable[[socket.socket], None] | None) -> Iterator[str]:
    """The address of somebody who takes every connection and does this with it; of nobody when there is nothing to do."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        kept: list[socket.socket] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listening.accept()[0])
                    assert answer is not None
                    answer(kept[-1])

        if answer is None:
            listening.close()
        else:
            threading.Thread(target=serve, daemon=True).start()
        yield address
        for connection in kept:
            connection.close()


COLLECTORS: dict[str, Callable[[socket.socket], None] | None] = {
    "nobody": None,
    "silent": lambda connection: None,
    "hangs up": lambda connection: connection.close(),
    "half an answer": lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx"),
    "asks to come again": lambda connection: connection.sendall(
        b"HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("spans", [1, 2000])
@pytest.mark.parametrize("does", COLLECTORS)
def test_an_ending_process_waits_for_its_collector_half_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch, does: str, spans: int
) -> None:
    monkeypatch.setattr(tracing, "_provider", None)
    with collector(COLLECTORS[does]) as address:
        told = ServiceSettings(
            database_url="postgresql+psycopg://h/d", broker_url="amqp://h/v", otel_exporter_otlp_endpoint=address
        )
        tracing.start(told, "shop")
        for _ in range(spans):
            with tracing.span("run"):
                pass
        began = time.monotonic()
        tracing.stop()
        seconds = time.monotonic() - began

    # A machine that others keep busy adds up to a second; an end that waits for an export waits EXPORT_SECONDS and more.
    assert seconds < min(tracing.FLUSH_MS / 1000 + 1.2, tracing.EXPORT_SECONDS)
