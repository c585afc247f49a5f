"""A span of chassis.tracing in the form in which OpenTelemetry's SDK exports it. Imported with the first span that is recorded.

The SDK says not to make a ReadableSpan by hand; it is what its processors and exporters take, and making one is what costs little: its own
way costs 180 µs a span and has to be gone from the start.
"""

from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from chassis.traceparent import Context
from chassis.tracing import Span

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_SCOPE = InstrumentationScope("chassis")
_UNSET = Status(StatusCode.UNSET)
_KINDS = {1: SpanKind.INTERNAL, 2: SpanKind.SERVER, 3: SpanKind.CLIENT, 4: SpanKind.PRODUCER, 5: SpanKind.CONSUMER}


def readable(span: Span, resource: Any) -> ReadableSpan:
    """The span, ended."""
    attributes = {**span.attributes, "error.type": span.error} if span.error else span.attributes
    return ReadableSpan(
        name=span.name,
        context=_context(span.context, remote=False),
        parent=_parent(span),
        resource=resource,
        attributes=attributes,
        events=[Event(name, told, at) for name, at, told in span.events],
        links=[Link(_context(context, remote=True), told) for context, told in span.links],
        kind=_KINDS[span.kind],
        status=Status(StatusCode.ERROR, span.why or span.error) if span.error else _UNSET,
        start_time=span.began,
        end_time=span.ended,
        instrumentation_scope=_SCOPE,
    )


def _parent(span: Span) -> SpanContext | None:
    """None also for what is recorded although its trace is not: what is above it, in another process, was never sent."""
    if span.parent is None or (span.local is None and not span.context.sampled):
        return None
    return _context(span.parent, remote=span.local is None)


def _context(context: Context, *, remote: bool) -> SpanContext:
    # Whatever is sent is recorded: the processor leaves out what is not.
    return SpanContext(context.trace_id, context.span_id, is_remote=remote, trace_flags=_SAMPLED)
