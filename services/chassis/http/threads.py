"""Use cases block on the database, so they run in threads; but no request waits longer than its deadline for one.

A thread that is stuck (the server stopped without closing its connections) is left behind, and its request is answered 503. There are
as many threads as connections: when all are stuck, requests wait in line until their deadline and take nothing with them.

One customer has half of the threads at most: whoever sends more at a time waits for his own requests, not the others for his.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from chassis.errors import Transient

P = ParamSpec("P")
T = TypeVar("T")


HOLDER: contextvars.ContextVar[str | None] = contextvars.ContextVar("HOLDER", default=None)
"""The customer whose request this is; None for operators, and for whoever has no token."""


@dataclass
class _Share:
    """What one customer has of the threads, while any request of his is under way."""

    places: asyncio.Semaphore
    requests: int = 0


class Threads:
    """Runs calls, `count` at a time, and half as many of one customer."""

    def __init__(self, count: int, deadline_seconds: float) -> None:
        self._count = count
        self._pool: ThreadPoolExecutor | None = None
        self._deadline_seconds = deadline_seconds
        self._shares: dict[tuple[asyncio.AbstractEventLoop, str], _Share] = {}

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The call's result. Raises what it raises, and Transient when it takes too long; it may have its effect even so."""
        work = partial(contextvars.copy_context().run, partial(call, *args, **kwargs))
        try:
            async with asyncio.timeout(self._deadline_seconds):
                give_back = await self._take(HOLDER.get())
                future = self._threads().submit(work)
                # Not when the request ends: a call that is past its deadline has its thread still.
                future.add_done_callback(lambda _: give_back())
                return await asyncio.wrap_future(future)
        except TimeoutError:
            seconds = self._deadline_seconds
            raise Transient(f"no answer within {seconds:g} s", retry_after_seconds=2.0) from None

    async def _take(self, holder: str | None) -> Callable[[], None]:
        """Wait for one of the holder's places; what gives it back, from any thread."""
        if holder is None:
            return lambda: None
        # A semaphore belongs to one event loop; a server has one, a test's clients have one each.
        loop = asyncio.get_running_loop()
        share = self._shares.setdefault((loop, holder), _Share(asyncio.Semaphore(max(1, self._count // 2))))
        share.requests += 1

        def leave() -> None:
            share.requests -= 1
            if not share.requests:
                del self._shares[loop, holder]

        def give_back() -> None:
            share.places.release()
            leave()

        def from_any_thread() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                loop.call_soon_threadsafe(give_back)

        try:
            await share.places.acquire()
        except asyncio.CancelledError:
            leave()
            raise
        return from_any_thread

    def close(self) -> None:
        """End the threads that have nothing to do, and start nothing more in them; a later call begins anew."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="request")
        return self._pool
