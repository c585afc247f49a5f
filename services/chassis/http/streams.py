"""Streams of server-sent events (WHATWG HTML, chapter 9.2): how many there may be, and for whom.

A stream holds a connection and looks for news all the time it is open, so the places are counted: for each holder, and for the process,
some of them for operators only. Whoever is refused may come again; nothing is lost, since `Last-Event-ID` resumes.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from chassis.http.problems import Problem, answer, wrong

RETRY_AFTER = {"Retry-After": "5"}


@dataclass
class Streams:
    """The places of one process. `reserved` of the `limit` are for operators, who have no limit of their own."""

    limit: int
    per_holder: int
    reserved: int
    held: Counter[str | None] = field(default_factory=Counter)

    def refused(self, holder: str | None) -> Problem | None:
        """Why this holder (None is an operator) gets no place now; None when there is one."""
        if holder is not None and self.held[holder] >= self.per_holder:
            reason = f"has {self.per_holder} event streams open, which is the limit"
            return Problem(429, f"{holder} {reason}", errors=[wrong("customer", holder, reason)], headers=RETRY_AFTER)
        if self.held.total() >= self.limit - (self.reserved if holder is not None else 0):
            return Problem(503, f"{self.held.total()} event streams are open", headers=RETRY_AFTER)
        return None

    @contextmanager
    def taken(self, holder: str | None) -> Iterator[None]:
        """This holder has a place during the block; `refused` says before whether there is one."""
        self.held[holder] += 1
        try:
            yield
        finally:
            self.held[holder] -= 1
            if not self.held[holder]:
                del self.held[holder]


class EventStream(StreamingResponse):
    """A stream that takes a place of its holder while it runs; without a free one it is a 429 or a 503."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], streams: Streams, holder: str | None) -> None:
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._streams = streams
        self._holder = holder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, or the refusal."""
        refused = self._streams.refused(self._holder)
        if refused is not None:
            await answer(refused)(scope, receive, send)
            return
        with self._streams.taken(self._holder):
            await super().__call__(scope, receive, send)


async def wait(draining: asyncio.Event, seconds: float) -> None:
    """Wait, but not for longer than the server stays."""
    try:
        await asyncio.wait_for(draining.wait(), seconds)
    except TimeoutError:
        return
