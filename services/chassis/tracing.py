"""Traces over OTLP/HTTP, when there is an endpoint; without one nothing of OpenTelemetry is imported and every call is a no-op.

A span is a small record of ours until it ends. Only then is it decided whether it is recorded: always when its trace is sampled, and in
any trace when it failed or was slow. What is recorded becomes a span of OpenTelemetry's SDK, whose batch processor and exporter send it; a
span that is not costs microseconds. The SDK decides at a span's start, and takes 65 µs to do nothing.

Call `start` after a fork and `stop` before the process ends: a batch processor's thread and an exporter's connection do not survive the
first, and a recycled child runs no exit handler. docs/traces-and-logs.md says which spans there are.
"""

import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import IntEnum
from typing import Any

from chassis import personal, traceparent
from chassis.settings import ServiceSettings
from chassis.traceparent import Context

FLUSH_MS = 500
"""How long an ending process waits for its collector, whatever that does and however many spans are left; a drain is worth more."""

SLOW_SECONDS = 1.0
"""A span that lasts longer is recorded whether its trace is sampled or not."""

MOST_PENDING = 64
"""Ended children that a span keeps until it ends itself; further ones are sent at once, or not at all."""

MOST_LINKS = 128
"""Of one span, as in the SDK."""

Value = str | int | float | bool


class Kind(IntEnum):
    """As in OTLP."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class Span:
    """What is known of a piece of work while it goes on. Times are nanoseconds since the epoch.

    `error` is the `error.type` of a failed one, `why` its status's text; `local` is the parent in this process; `carrier` the message that
    brought the work, which is recorded if this is; `published` when a message was sent (s, by its sender's clock); `parts` among how many
    pieces of work its time is shared.
    """

    __slots__ = (
        "attributes", "began", "carrier", "context", "ended", "error", "events", "kept", "kind", "links", "local", "name", "parent",
        "parts", "pending", "published", "why",
    )  # fmt: skip

    def __init__(
        self, name: str, kind: Kind, context: Context, parent: Context | None, local: "Span | None", began: int
    ) -> None:
        self.name = name
        self.kind = kind
        self.context = context
        self.parent = parent
        self.local = local
        self.began = began
        self.ended = 0
        self.error = ""
        self.why = ""
        self.carrier: Span | None = None
        self.published: float | None = None
        self.kept = False
        self.parts = 1
        self.attributes: dict[str, Value] = {}
        self.links: list[tuple[Context, Mapping[str, Value]]] = []
        self.events: list[tuple[str, int, Mapping[str, Value]]] = []
        self.pending: list[Span] = []

    @property
    def recorded(self) -> bool:
        """Whether it is sent when it ends, so far as anybody knows now."""
        return self.context.sampled or self.kept

    @property
    def follows(self) -> Context:
        """Where work that follows from it belongs: beside it, or below it where what is above it is not recorded. From a span that is
        recorded on, all is."""
        if self.parent is not None and (self.context.sampled or not self.kept):
            return self.parent
        return Context(self.context.trace_id, self.context.span_id, self.recorded)

    def set(self, **attributes: Value) -> None:
        """Add attributes; `http__route` is `http.route`."""
        self.attributes.update((key.replace("__", "."), value) for key, value in attributes.items())

    def disown(self) -> None:
        """A request that failed brought nothing into being: its trace is its own again, and whoever asks again begins the other one.

        A trace that was its own all the time stays, because what was sent for the request is linked with it."""
        own = self.context
        if own.span_id == own.trace_id & (2**64 - 1):
            self.context = Context(traceparent.new_trace_id(), traceparent.new_span_id(), own.sampled)
            self.link(own)

    def fail(self, error_type: str, why: str = "") -> None:
        """Make it red; the first reason stays. A call to the outside makes what called it red as well, handled or not."""
        if not self.error:
            self.error, self.why = error_type, why
        self.kept = True
        if self.local is not None:
            self.local.kept = True
            if self.kind is Kind.CLIENT:
                self.local.fail(error_type, why)

    def is_slow(self, at: int) -> bool:
        """Whether it has lasted for long by then; where it shares its time, whether its part has."""
        return at - self.began > SLOW_SECONDS * 1e9 * self.parts

    def link(self, context: Context | None, **attributes: Value) -> None:
        """Link it with another span, unless there is none."""
        if context is not None and len(self.links) < MOST_LINKS:
            self.links.append((context, {key.replace("__", "."): value for key, value in attributes.items()}))

    def event(self, name: str, at: int | None = None, **attributes: Value) -> None:
        """Something that happened meanwhile, now unless a time is given."""
        told = {key.replace("__", "."): value for key, value in attributes.items()}
        self.events.append((name, now() if at is None else at, told))

    def end(self, at: int | None = None) -> None:
        """It is over: sent, left to its parent in this process, or forgotten."""
        if self.ended:
            return
        self.ended = max(self.began, now() if at is None else at)
        if self.is_slow(self.ended) and self.kind is not Kind.INTERNAL:
            self.kept = True
            if self.local is not None:
                self.local.kept = True
        if self.recorded and self.carrier is not None:
            self.carrier.kept = True
        if self.local is not None and not self.local.ended and len(self.local.pending) < MOST_PENDING:
            # Sent with what it belongs to: a process that is killed takes both along, and leaves no span without its parent.
            self.local.pending.append(self)
        elif self.recorded:
            _record(self)


_current: contextvars.ContextVar[Span | None] = contextvars.ContextVar("_current", default=None)

_sink: Any = None
"""What takes the spans that ended, as a processor of OpenTelemetry's SDK; None while nothing is traced."""

_resource: Any = None
_ratio = 1.0

_owed: list[Callable[[], int]] = []
"""Who makes spans later: how many those are now."""


def start(settings: ServiceSettings, service: str) -> None:
    """Begin to trace this process, if the settings have an endpoint. Once a process, after it was forked."""
    global _sink, _resource, _ratio
    if settings.otel_exporter_otlp_endpoint is None or _sink is not None:
        return
    from chassis import span_export

    _resource, _ratio = span_export.resource(settings, service), settings.otel_traces_sampler_arg
    _sink = span_export.processor(settings)


def stop() -> None:
    """Send what is left, waiting FLUSH_MS at most; what is not taken by then is lost with the process.

    The SDK's force_flush takes a time-out and does not use it: it waits for each batch (opentelemetry-python#4568). So it runs in a thread
    that nobody waits for any longer.
    """
    if _sink is None:
        return
    flushing = threading.Thread(target=_sink.force_flush, name="last spans", daemon=True)
    flushing.start()
    flushing.join(FLUSH_MS / 1000)
    _sink.abandon(sum(spans() for spans in _owed))


def owe(spans: Callable[[], int]) -> None:
    """Who makes spans of work that is over later tells here how many; those that it still owes when the process ends count as dropped."""
    _owed.append(spans)


def now() -> int:
    """Nanoseconds since the epoch by this machine's clock, which says when something was and decides nothing."""
    return time.time_ns()


def on() -> bool:
    """Whether this process traces."""
    return _sink is not None


def current() -> Span | None:
    """The span that this thread, or task of an event loop, is in."""
    return _current.get()


def new_trace(*, sampled: bool = False) -> Context:
    """The context of the first span of a new trace: one of the share that is recorded, or one that has to be."""
    trace_id = traceparent.new_trace_id()
    return Context(trace_id, traceparent.new_span_id(), sampled or is_chosen(trace_id))


def is_chosen(trace_id: int) -> bool:
    """Whether this trace is of the share that is recorded."""
    return traceparent.chosen(trace_id, _ratio)


def stride() -> int:
    """Of things that are numbered, each whose number this divides is recorded: 1 for all of them, 0 for none."""
    return max(1, round(1 / _ratio)) if _sink is not None and _ratio else 0


def begin(
    name: str,
    kind: Kind,
    *,
    parent: Context | None = None,
    local: Span | None = None,
    began: int | None = None,
) -> Span | None:
    """A span that the caller ends; None when nothing is traced. The child of `local`, or of `parent` in another process, or a new trace."""
    if _sink is None:
        return None
    above = local.context if local is not None else parent
    if above is None:
        context = new_trace()
    else:
        context = Context(above.trace_id, traceparent.new_span_id(), above.sampled)
    return Span(name, kind, context, above, local, began or now())


def enter(span: Span) -> contextvars.Token[Span | None]:
    """Make it the current span, until `leave` in the same thread."""
    return _current.set(span)


def leave(token: contextvars.Token[Span | None]) -> None:
    """The span that was current before is so again."""
    _current.reset(token)


def span(name: str, kind: Kind = Kind.INTERNAL, **attributes: Value) -> AbstractContextManager[Span | None]:
    """A span around a block: a child of the current one, or a new trace. An exception marks it as failed."""
    if _sink is None:
        return nullcontext()
    return _around(name, kind, attributes)


@contextmanager
def _around(name: str, kind: Kind, attributes: Mapping[str, Value]) -> Iterator[Span | None]:
    opened = begin(name, kind, local=_current.get())
    assert opened is not None
    opened.set(**attributes)
    token = _current.set(opened)
    try:
        yield opened
    except BaseException as error:
        failed(opened, error)
        raise
    finally:
        _current.reset(token)
        opened.end()


def failed(span: Span | None, error: BaseException) -> None:
    """Mark a span as failed by an exception, without personal data."""
    if span is None:
        return
    said = why(span, error)
    span.event("exception", exception__type=type(error).__qualname__, exception__message=said[:2000])


def why(span: Span | None, error: BaseException) -> str:
    """What an error that was handled says, without personal data; the span it was handled in is marked as failed."""
    said = personal.scrub(str(error))
    if span is not None:
        span.fail(type(error).__qualname__, said[:500])
    return said


def inject() -> dict[str, str]:
    """The headers that carry the current span to whoever reads them; empty when there is none."""
    span = _current.get()
    return {} if span is None else {"traceparent": str(span.context)}


def _record(span: Span) -> None:
    """Hand a span that ended to the SDK, and the ended children that waited for it."""
    sink = _sink
    if sink is None:
        return
    for child in span.pending:
        _record(child)
    span.pending.clear()
    from chassis.spans import readable

    sink.on_end(readable(span, _resource))
