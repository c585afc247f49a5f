"""Traces over OTLP/HTTP, when there is an endpoint; without one nothing of OpenTelemetry is imported and every call is a no-op.

The context of the work travels in outbox rows and message headers as W3C `traceparent` (https://www.w3.org/TR/trace-context/), so
one order is one trace across API, database, relay and pools. Build the provider after a fork (`start`), flush it before the
process ends (`stop`): a batch processor's thread and an exporter's connection do not survive the first, and a recycled child runs
no exit handler.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from chassis.settings import ServiceSettings

FLUSH_MS = 500
"""How long an ending process waits for its collector, whatever that does and however many spans are left; a drain is worth more."""

EXPORT_SECONDS = 2.0
"""How long one batch may take while the process goes on."""

_provider: Any = None


def start(settings: ServiceSettings, service: str) -> None:
    """Begin to trace this process, if the settings have an endpoint. Once a process, after it was forked."""
    global _provider
    if settings.otel_exporter_otlp_endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    who = {
        "service.name": service,
        "service.namespace": settings.pool,
        "service.instance.id": f"{os.uname().nodename}-{os.getpid()}",
    }
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS
    )
    _provider = TracerProvider(resource=Resource.create(who), shutdown_on_exit=False)
    _provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))


def stop() -> None:
    """Send what is left, waiting FLUSH_MS at most; what is not taken by then is lost with the process.

    The SDK's force_flush takes a time-out and does not use it: it waits for each batch (opentelemetry-python#4568). So it runs in a thread
    that nobody waits for any longer.
    """
    if _provider is None:
        return
    flushing = threading.Thread(target=_provider.force_flush, name="last spans", daemon=True)
    flushing.start()
    flushing.join(FLUSH_MS / 1000)


def inject() -> dict[str, str]:
    """The headers that carry the current trace to whoever reads them; empty when there is none."""
    if _provider is None:
        return {}
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return headers


def extract(headers: Mapping[str, Any]) -> Any:
    """The context that `inject` wrote into these headers; None when tracing is off or there is none."""
    if _provider is None or not headers.get("traceparent"):
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract(dict(headers))


def span(
    name: str, *, headers: Mapping[str, Any] | None = None, consumer: bool = False, **attributes: str | int | float
) -> AbstractContextManager[Any]:
    """A span around a block: a child of the trace in `headers`, else of the current one. An exception marks it as failed."""
    if _provider is None:
        return nullcontext()
    return _open(name, extract(headers or {}), consumer, attributes)


@contextmanager
def _open(name: str, context: Any, consumer: bool, attributes: Mapping[str, str | int | float]) -> Iterator[Any]:
    from opentelemetry.trace import SpanKind

    kind = SpanKind.CONSUMER if consumer else SpanKind.INTERNAL
    told = {key.replace("__", "."): value for key, value in attributes.items()}
    with _provider.get_tracer("chassis").start_as_current_span(
        name, context=context, kind=kind, attributes=told
    ) as opened:
        yield opened


def message_attributes(task_id: str, queue: str) -> dict[str, str]:
    """The attributes of a task's span, by the names of OpenTelemetry's messaging conventions."""
    return {"messaging__message__id": task_id, "messaging__destination__name": queue, "messaging__system": "celery"}
