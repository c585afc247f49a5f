"""The trace that belongs to a thing with a UUID, for example an order: its id is the thing's, so that who knows the one knows the other.

See docs/decisions/0028-an-orders-trace-has-the-orders-id.md.
"""

import uuid
from collections.abc import Callable
from dataclasses import replace

from chassis import tracing
from chassis.traceparent import Context


def own_trace(identifier: str) -> Context | None:
    """The first span of the trace that belongs to what this UUID names: trace id and span id are made from it, so that whoever knows the
    name can link to the trace, and nobody has to keep its id. None for what is no UUID."""
    try:
        number = uuid.UUID(identifier).int
    except ValueError:
        return None
    return Context(number or 1, number & (2**64 - 1) or 1, tracing.is_chosen(number))


def is_recorded(identifier: str) -> bool:
    """Whether the trace that belongs to what this UUID names is of the share that is recorded."""
    own = own_trace(identifier)
    return own is not None and own.sampled


def begins_trace_of(attribute: str, identifier: str) -> dict[str, str]:
    """The current request brings this into being: its trace is the one that belongs to it. The headers that carry it on."""
    span = tracing.current()
    if span is None:
        return {}
    own = own_trace(identifier)
    if own is not None and span.parent is None:
        span.context = own
    span.attributes[attribute] = identifier
    return tracing.inject()


def concerns(attribute: str, identifier: str, went_wrong: Callable[[], bool]) -> dict[str, str]:
    """The current work concerns this, and has a trace of its own, which is linked with that one. The headers that carry it on.

    `went_wrong` tells whether something is recorded of it although its trace is not; asked only then.
    """
    span = tracing.current()
    if span is None:
        return {}
    span.attributes[attribute] = identifier
    own = own_trace(identifier)
    if own is not None:
        span.link(own)
        # Recorded when that one is, so that both traces are kept, or neither.
        span.context = replace(span.context, sampled=own.sampled or went_wrong())
    return tracing.inject()
