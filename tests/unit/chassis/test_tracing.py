"""Without an endpoint tracing does nothing; with one, a trace goes from header to header."""

from collections.abc import Iterator
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
