"""The live page, `/live`, and what it shows: `/rate`, `/top`, and `/live/events`, a stream of server-sent events (WHATWG HTML, 9.2).

    seconds   {"seconds": […]}: seconds that are over; at first those of the last five minutes. The id of the event is the begin of its last
              second, by the clock of the store, so `Last-Event-ID` resumes on any replica without a gap and without a repetition.
    state     sums, freshness, trends and top contents as they are now; every second, without an id
    end       the stream lasted for as long as it may (`expired`), or this process is to stop (`draining`): connect again

The page itself and its files hold no data, so they need no token. It asks for an analyst's token, and sends it as every program does.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse

from analytics.api.access import Analyst
from analytics.ports.counters import StoreUnavailable
from analytics.usecases.live import LiveViews
from analytics.usecases.top import TopViews
from chassis.http import pages
from chassis.http.problems import documented
from chassis.http.streams import EventStream, Streams, wait

STATIC = Path(__file__).with_name("static")

EVERY_SECONDS = 1.0

LastEventId = Annotated[
    int, Header(alias="Last-Event-ID", ge=0, lt=2**42, description="The last second seen; resumes behind it.")
]
AfterMs = Annotated[int, Query(ge=0, lt=2**42, description="Only seconds that began after this moment.")]
Of = Annotated[Literal["contents", "topics"], Query(description="What trends.")]
Window = Annotated[Literal["5m", "1h", "24h"], Query(description="Within which time it trends.")]


def routes(live: LiveViews, top: TopViews, streams: Streams, longest_seconds: float) -> APIRouter:
    """The routes; a stream ends after `longest_seconds`."""
    router = APIRouter(tags=["live"])
    router.include_router(pages.routes("/live", STATIC, "live.html", ("live.js", "event_stream.js", "charts.js")))

    @router.get("/rate")
    async def rate(_: Analyst, after_ms: AfterMs = 0) -> dict[str, Any]:
        return {"seconds": await live.seconds(after_ms)}

    @router.get("/top")
    async def most(
        _: Analyst,
        minutes: Annotated[int, Query(ge=1, le=60, description="The current one included.")] = 5,
        limit: Annotated[int, Query(ge=1, le=50)] = 10,
    ) -> dict[str, Any]:
        return await top.top(minutes, limit)

    @router.get(
        "/live/events",
        response_class=StreamingResponse,
        responses={
            200: {"description": "Events.", "content": {"text/event-stream": {}}},
            **documented(401, 403, 422, 503),
        },
    )
    async def stream(
        request: Request, _: Analyst, of: Of = "contents", window: Window = "5m", last_event_id: LastEventId = 0
    ) -> Response:
        draining: asyncio.Event = request.app.state.draining
        return EventStream(_events(live, of, window, last_event_id, draining, longest_seconds), streams, None)

    return router


async def _events(
    live: LiveViews, of: str, window: str, after_ms: int, draining: asyncio.Event, longest_seconds: float
) -> AsyncIterator[str]:
    ends = time.monotonic() + longest_seconds
    # Says at once that the stream is open, and how soon to come back when it breaks.
    yield "retry: 1000\n\n"
    while not draining.is_set():
        try:
            if found := await live.seconds(after_ms):
                after_ms = found[-1]["at_ms"]
                yield f"id: {after_ms}\n{_event('seconds', {'seconds': found})}"
            yield _event("state", await live.state(of, window))
        except StoreUnavailable as error:
            yield _event("unavailable", {"detail": str(error)})
        if time.monotonic() >= ends:
            yield _event("end", {"reason": "expired"})
            return
        await wait(draining, EVERY_SECONDS)
    yield _event("end", {"reason": "draining"})


def _event(kind: str, data: dict[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"
