"""Every HTTP call with an effect passes here: faults happen before or after it, and its answer leaves after its commit.

Holding a call never blocks another: it waits on the event loop. A call whose client has gone still has its effect,
once begun. A `garbled` call has its effect, and its answer has the right status and says nothing else that can be used.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection

from starlette.responses import Response

from outside import garbled
from outside.faults import Faults, OutagePlan
from outside.problems import problem
from outside.store import Store

# Faults of a call that only reads.
READ = ("timeout_before", "server_error", "throttle", "slow", "garbled")
# Faults of a call that changes something.
CHANGE = (*READ, "timeout_after", "server_error_after")
# What a throttled caller is told to wait.
THROTTLE_SECONDS = 1


class Gate:
    """Between the router and the effects of one server."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Hold no call any longer: the server is stopping, and what it holds would keep it."""
        self._closing.set()

    @property
    def closing(self) -> bool:
        """Whether the server is stopping, which ends streams."""
        return self._closing.is_set()

    async def hold(self, seconds: float) -> None:
        """Wait, but no longer than the server lives."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def read(self, order_id: str | None, look: Callable[[], Response]) -> Response:
        """Answer a call that changes nothing."""
        return await self._through(order_id, READ, lambda _: look())

    async def change(
        self, order_id: str | None, act: Callable[[str | None], Response], also: Collection[str] = ()
    ) -> Response:
        """Answer a call with an effect; a fault out of `also` that hits is handed to `act`, which knows its meaning."""
        return await self._through(order_id, (*CHANGE, *also), act)

    async def _through(
        self, order_id: str | None, eligible: Collection[str], act: Callable[[str | None], Response]
    ) -> Response:
        outage = self._faults.outage
        if outage is not None:
            return await self._down(outage)
        fault = self._faults.draw(eligible, order_id)
        plan = self._faults.plan
        hang_seconds, slow_seconds = (0.0, 0.0) if plan is None else (plan.hang_seconds, plan.slow_seconds)
        if fault == "timeout_before":
            await self.hold(hang_seconds)
            return problem(504, "gave up before anything was done")
        if fault == "server_error":
            return problem(500, "failed before anything was done")
        if fault == "throttle":
            answer = problem(429, "too many requests")
            answer.headers["Retry-After"] = str(THROTTLE_SECONDS)
            return answer
        if fault == "slow":
            await self.hold(slow_seconds)
        answer = act(fault)
        await self._store.committed()
        if fault == "timeout_after":
            await self.hold(hang_seconds)
            return problem(504, "gave up after the work was done")
        if fault == "server_error_after":
            return problem(500, "failed after the work was done")
        if fault == "garbled":
            return garbled.http(answer, self._faults.rng)
        return answer

    async def _down(self, outage: OutagePlan) -> Response:
        if outage.mode == "hang":
            await self.hold(min(outage.hang_seconds, self._faults.outage_left_seconds))
        answer = problem(503, "out of service")
        if outage.retry_after_seconds is not None:
            answer.headers["Retry-After"] = str(outage.retry_after_seconds)
        return answer
