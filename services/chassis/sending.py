"""The span of a message that is published: a PRODUCER's, in whose headers its trace goes on to whoever takes the message.

What a relay sends carries commands of many traces. So its span begins a trace of its own, linked with each command whose trace is recorded,
and is recorded when there is one. Any other message belongs to the trace that it is sent from.
"""

import contextvars
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from chassis import traceparent, tracing
from chassis.traceparent import Context
from chassis.tracing import Kind

_commands: contextvars.ContextVar[Sequence[Context] | None] = contextvars.ContextVar("_commands", default=None)


@contextmanager
def of_commands(traceparents: Sequence[str]) -> Iterator[None]:
    """What is sent inside carries commands with these contexts."""
    if not tracing.on():
        yield
        return
    read = (traceparent.read(text) for text in dict.fromkeys(traceparents) if not text.endswith(traceparent.UNSAMPLED))
    token = _commands.set([found for found in read if found is not None and found.sampled])
    try:
        yield
    finally:
        _commands.reset(token)


@contextmanager
def sent(system: str, task: str, queue: str, task_id: str) -> Iterator[dict[str, Any]]:
    """Around a publication: the headers that carry its trace on."""
    commands = _commands.get()
    span = tracing.begin(f"send {queue}", Kind.PRODUCER, local=tracing.current() if commands is None else None)
    if span is None:
        yield {}
        return
    if commands is not None:
        span.context = Context(span.context.trace_id, span.context.span_id, bool(commands))
        for one in commands:
            span.link(one)
    span.attributes |= messaging(system, "send", queue, task_id, task)
    try:
        yield {"traceparent": str(span.context), "published": tracing.now() / 1e9}
    except BaseException as error:
        tracing.failed(span, error)
        raise
    finally:
        span.end()


def messaging(
    system: str, operation: str, queue: str, message_id: str, task: str
) -> dict[str, str | int | float | bool]:
    """The attributes of a message's span: OpenTelemetry's messaging conventions 1.44, which are in development."""
    return {
        "messaging.system": system,
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
        "messaging.destination.name": queue,
        "messaging.message.id": message_id,
        "celery.task_name": task,
    }
