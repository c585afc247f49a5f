"""Builds the application from a collector, a reader of counters and the settings."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from prometheus_client import REGISTRY, CollectorRegistry, Gauge
from starlette.routing import Match, Route
from starlette.types import Scope

from analytics.api import live_routes, query_routes
from analytics.api.access import caller
from analytics.api.event_routes import Events
from analytics.domain.pace import Pace
from analytics.ports.counters import AcceptedMark, CounterReader, StoreUnavailable
from analytics.ports.engagements import RecommendationReader
from analytics.ports.trends import TrendReader
from analytics.queues import SERVICE
from analytics.settings import Settings
from analytics.usecases.collect import Collectors
from analytics.usecases.live import LiveViews, mark_accepted
from analytics.usecases.recommendations import Recommendations
from analytics.usecases.top import TopViews
from analytics.usecases.views import BadRange, TrendViews, Views
from analytics.usecases.waiting import WaitingBatches
from chassis.http import health_routes, reference, refusals
from chassis.http.metrics import Observed
from chassis.http.problems import Problem, answer
from chassis.http.streams import Streams
from chassis.http.threads import Threads
from chassis.http.tokens import read_tokens
from chassis.queue_lengths import QueueLengths

LINKS = {"freshness": "/freshness", "totals": "/totals", "trends": "/trends", "top": "/top", "live page": "/live"}


def make_api(
    collector: Collectors,
    backfill: Collectors,
    reader: CounterReader,
    trends: TrendReader,
    recommendations: RecommendationReader,
    mark: AcceptedMark,
    *,
    ping: Callable[[], None],
    lengths: QueueLengths,
    settings: Settings,
    clock_ms: Callable[[], int],
    registry: CollectorRegistry = REGISTRY,
) -> FastAPI:
    """The ASGI application. Whoever serves it sets `app.state.draining` when it is to stop. Raises BadSetting for unreadable tokens.

    `ping` asks the broker, which is what this process cannot do without, and raises Transient; `lengths` tells how long its queues of
    batches are.
    """
    gauge = Gauge("analytics_waiting_batches", "Batches that no aggregator has taken", ("queue",), registry=registry)
    asking = Threads(1, settings.publish_timeout_seconds)
    waiting = WaitingBatches(lambda: asking.run(lengths.read), lambda queue, batches: gauge.labels(queue).set(batches))
    threads = Threads(1, settings.publish_timeout_seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        marking = [
            asyncio.create_task(mark_accepted(each, mark, shard))
            for collectors in (collector, backfill)
            for shard, each in enumerate(collectors.shards)
        ]
        following = asyncio.create_task(waiting.follow())
        yield
        for task in (*marking, following):
            task.cancel()
        await collector.close()
        await backfill.close()
        await reader.close()
        await recommendations.close()
        threads.close()
        asking.close()
        lengths.close()

    app = FastAPI(
        title="Analytics",
        description="Takes events of engagement, and counts each exactly once. Times are milliseconds since 1970-01-01 UTC.",
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.callers = read_tokens(settings.api_tokens.get_secret_value(), caller)
    app.state.draining = asyncio.Event()
    doors = {
        "/events": Events(collector, settings),
        "/backfill": Events(backfill, settings, Pace(settings.backfill_events_per_second)),
    }
    app.router.routes[:0] = [_Door(path, door.post, methods=["POST"]) for path, door in doors.items()]
    views = Views(reader, range_hours=settings.range_hours_limit, clock_ms=clock_ms, waiting=lambda: waiting.batches)
    trending = TrendViews(trends, live_seconds=settings.trends_live_seconds, clock_ms=clock_ms)
    app.include_router(query_routes.routes(views, trending, Recommendations(recommendations)))
    live_seconds = settings.trends_live_seconds
    top = TopViews(reader, trends, views, live_seconds=live_seconds, clock_ms=clock_ms)
    live = LiveViews(reader, views, trending, top, clock_ms=clock_ms)
    streams = Streams(settings.event_streams_process_limit, per_holder=0, reserved=0)
    app.include_router(live_routes.routes(live, top, streams, settings.event_stream_seconds))
    app.include_router(health_routes.routes(ping, threads))
    app.include_router(reference.routes(app, LINKS))
    refusals.install(app)
    app.add_exception_handler(BadRange, _bad_range)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_middleware(Observed, service=SERVICE, registry=registry)
    return app


class _Door(Route):
    """A route that metrics and spans can name, as FastAPI's can; Starlette's own keeps itself out of the scope."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Starlette, and the route itself."""
        match, found = super().matches(scope)
        return match, found if match is Match.NONE else {**found, "route": self}


async def _bad_range(_: Request, error: Any) -> Response:
    return answer(Problem(422, str(error)))


async def _unavailable(_: Request, error: Any) -> Response:
    return answer(Problem(503, str(error), headers={"Retry-After": "1"}))
