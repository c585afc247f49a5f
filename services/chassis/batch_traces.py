"""The spans of a queue of batches.

    send QUEUE      a batch is published; linked with the recorded requests that it carries, and each of them with it
    process QUEUE   a window of batches is applied together; linked with each of them

Each is a trace of its own, because a batch carries many requests and a window many batches. Nothing is made for a batch none of whose
requests is recorded, and nothing for an event in any case.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from chassis import traceparent, tracing
from chassis.tracing import Kind, Span


def publishing(system: str, queue: str, batch_id: str, requests: Sequence[Span]) -> Span | None:
    """The span of a batch that is about to be published; None unless one of the requests whose data it carries is recorded."""
    if not tracing.on() or not any(request.recorded for request in requests):
        return None
    span = Span(f"send {queue}", Kind.PRODUCER, tracing.new_trace(sampled=True), None, None, tracing.now())
    span.attributes |= _messaging(system, "send", queue)
    span.attributes["messaging.message.id"] = batch_id
    for request in requests:
        if request.recorded:  # a span has room for MOST_LINKS, and one to what is not sent leads nowhere
            span.link(request.context)
        request.link(span.context)
    return span


def headers(span: Span | None) -> dict[str, str]:
    """What a batch carries so that its trace is found."""
    return {} if span is None else {"traceparent": str(span.context)}


@contextmanager
def flushing(system: str, queue: str, messages: Iterable[Any]) -> Iterator[None]:
    """Around the application of some batches. What it raises marks the span as failed, which is then recorded in any case."""
    if not tracing.on():
        yield
        return
    told = [traceparent.read(_header(message)) for message in messages]
    carried = [context for context in told if context is not None]
    context = tracing.new_trace(sampled=any(one.sampled for one in carried))
    span = Span(f"process {queue}", Kind.CONSUMER, context, None, None, tracing.now())
    span.attributes |= _messaging(system, "process", queue)
    span.attributes["messaging.batch.message_count"] = len(told)
    for one in carried:
        span.link(one)
    token = tracing.enter(span)
    try:
        yield
    except BaseException as error:
        tracing.failed(span, error)
        raise
    finally:
        tracing.leave(token)
        span.end()


def _header(message: Any) -> Any:
    carried = message.headers
    return carried.get("traceparent") if isinstance(carried, Mapping) else None


def _messaging(system: str, operation: str, queue: str) -> dict[str, str | int | float | bool]:
    return {
        "messaging.system": system,
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
        "messaging.destination.name": queue,
    }
