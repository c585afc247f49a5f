"""Streams of server-sent events (WHATWG HTML, chapter 9.2): how many there may be."""

from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from chassis.http.problems import Problem, answer


class Streams:
    """Counts open streams: each asks the database four times a second, so their number has a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.open = 0


class EventStream(StreamingResponse):
    """A stream that takes a place while it runs; without a free one it is a 503."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], streams: Streams) -> None:
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._streams.open >= self._streams.limit:
            full = Problem(503, f"{self._streams.limit} event streams are open", headers={"Retry-After": "5"})
            await answer(full)(scope, receive, send)
            return
        self._streams.open += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.open -= 1
