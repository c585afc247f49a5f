"""/health: for probes, without a token. Metrics are on a port of their own (chassis.health), because anybody may reach this one."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Request
from pydantic import BaseModel

from chassis.errors import Transient
from chassis.http.problems import Problem, documented
from chassis.http.threads import Threads

# Less than what a probe usually waits (1 s in Kubernetes), so that it hears why.
READY_SECONDS = 0.8


class HealthBody(BaseModel):
    """How the process is."""

    status: str


def routes(ping: Callable[[], None], threads: Threads) -> APIRouter:
    """The routes; `ping` asks the database and raises Transient when it is away."""
    router = APIRouter(tags=["operation"])
    # Set once the database has answered this process. When it goes away later, it does so for every API at once: were they not ready
    # then, nobody would be left to say 503 and when to come again.
    met = asyncio.Event()

    @router.get("/health/live", responses=documented())
    async def live() -> HealthBody:
        return HealthBody(status="live")

    @router.get("/health/ready", responses=documented(503))
    async def ready(request: Request) -> HealthBody:
        if request.app.state.draining.is_set():
            raise Problem(503, "draining", headers={"Retry-After": "5"})
        if not met.is_set():
            try:
                async with asyncio.timeout(READY_SECONDS):
                    await threads.run(ping)
            except TimeoutError:
                raise Transient(f"the database did not answer within {READY_SECONDS:g} s") from None
            met.set()
        return HealthBody(status="ready")

    return router
