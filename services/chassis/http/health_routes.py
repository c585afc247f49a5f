"""/health and /metrics: for probes and scrapers, without a token."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel

from chassis.errors import Transient
from chassis.http.problems import Problem, documented
from chassis.http.threads import Threads

# Less than what a probe usually waits (1 s in Kubernetes), so that it hears why.
READY_SECONDS = 0.8


class HealthBody(BaseModel):
    """How the process is."""

    status: str


def routes(ping: Callable[[], None], threads: Threads, registry: CollectorRegistry) -> APIRouter:
    """The routes; `ping` asks the database and raises Transient when it is away, `registry` is what /metrics shows."""
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

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **documented()},
    )
    async def metrics() -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router
