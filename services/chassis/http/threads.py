"""Use cases block on the database, so they run in threads; but no request waits longer than its deadline for one.

A thread that is stuck (the server stopped without closing its connections) is left behind, and its request is answered 503. There are
as many threads as connections: when all are stuck, requests wait in line until their deadline and take nothing with them.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from chassis.errors import Transient

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Runs calls, `count` at a time."""

    def __init__(self, count: int, deadline_seconds: float) -> None:
        self._count = count
        self._pool: ThreadPoolExecutor | None = None
        self._deadline_seconds = deadline_seconds

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The call's result. Raises what it raises, and Transient when it takes too long; it may have its effect even so."""
        work = partial(contextvars.copy_context().run, partial(call, *args, **kwargs))
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads(), work)
        except TimeoutError:
            seconds = self._deadline_seconds
            raise Transient(f"no answer within {seconds:g} s", retry_after_seconds=2.0) from None

    def close(self) -> None:
        """End the threads that have nothing to do, and start nothing more in them; a later call begins anew."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="request")
        return self._pool
