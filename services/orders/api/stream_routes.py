"""/orders/{id}/events: an order's timeline as it happens, as server-sent events (WHATWG HTML, chapter 9.2).

The id of an event is its id in the timeline, so `Last-Event-ID` resumes where a connection broke, on any replica. A stream ends with an
`end` event that says why: `final` when nothing can follow, `expired` when it has lasted for as long as a stream may, `draining` when this
process is to stop. After the last two the client connects again with the id of the last event it saw, which the event repeats as
`last_event_id`; browsers do so by themselves.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response, StreamingResponse

from chassis.errors import Transient
from chassis.http.problems import documented
from chassis.http.streams import EventStream, Streams, wait
from chassis.http.threads import Threads
from orders.api.access import Known
from orders.domain.saga import State
from orders.domain.views import Entry
from orders.usecases.views import Viewing

POLL_SECONDS = 0.25
# Less than the shortest idle time-out of the usual proxies (30 s).
KEEP_ALIVE_SECONDS = 15.0
PAGE = 200

LastEventId = Annotated[
    int, Header(alias="Last-Event-ID", ge=0, le=2**63 - 1, description="The last event seen; resumes behind it.")
]

# Of one event; what a stream is made of has no place in OpenAPI before 3.2.
_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The event's id in the timeline; the last event has none."},
        "event": {"type": "string", "description": "Its kind, or `end`."},
        "data": {
            "type": "string",
            "description": "JSON: `at`, `kind`, `detail`; of the end, `reason` and `state`, or `reconnect` and `last_event_id`.",
        },
    },
    "required": ["event", "data"],
}


def routes(viewing: Viewing, threads: Threads, streams: Streams, longest_seconds: float) -> APIRouter:
    """The route, bound to its use case; a stream ends after `longest_seconds`."""
    router = APIRouter(prefix="/orders", tags=["orders"])

    @router.get(
        "/{order_id}/events",
        response_class=StreamingResponse,
        responses={
            200: {"description": "Events.", "content": {"text/event-stream": {"schema": _SCHEMA}}},
            **documented(401, 404, 422, 429, 503),
        },
    )
    async def stream_events(
        request: Request, caller: Known, order_id: UUID, last_event_id: LastEventId = 0
    ) -> Response:
        await threads.run(viewing.check, caller, str(order_id))
        draining: asyncio.Event = request.app.state.draining
        events = _events(viewing, threads, str(order_id), last_event_id, draining, longest_seconds)
        return EventStream(events, streams, caller.customer)

    return router


async def _events(
    viewing: Viewing, threads: Threads, order_id: str, after: int, draining: asyncio.Event, longest_seconds: float
) -> AsyncIterator[str]:
    spoke = time.monotonic()
    ends = spoke + longest_seconds
    # Says at once that the stream is open, and how soon to come back when it breaks.
    yield "retry: 1000\n\n"
    while not draining.is_set():
        try:
            state, entries = await threads.run(viewing.news, order_id, after=after, limit=PAGE)
        except Transient:
            state, entries = State.PENDING, []
        for entry in entries:
            yield _event(entry)
            after = entry.id
        if state.final and len(entries) < PAGE:
            yield _end("final", state=state)
            return
        now = time.monotonic()
        if now >= ends:
            yield _come_again("expired", after)
            return
        if entries:
            spoke = now
        elif now - spoke >= KEEP_ALIVE_SECONDS:
            yield ": still here\n\n"
            spoke = now
        if len(entries) < PAGE:
            await wait(draining, min(POLL_SECONDS, ends - now))
    yield _come_again("draining", after)


def _event(entry: Entry) -> str:
    data: dict[str, Any] = {"at": entry.at.isoformat(), "kind": entry.kind, "detail": entry.detail}
    return f"id: {entry.id}\nevent: {entry.kind}\ndata: {json.dumps(data)}\n\n"


def _end(why: str, **more: Any) -> str:
    return f"event: end\ndata: {json.dumps({'reason': why, **more})}\n\n"


def _come_again(why: str, last: int) -> str:
    return _end(why, state=None, reconnect=True, last_event_id=last)
