"""Builds the application from the way to the engine and the settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from prometheus_client import REGISTRY, CollectorRegistry

from chassis.http import health_routes, reference, refusals
from chassis.http.metrics import Observed
from chassis.http.problems import Problem, answer, wrong
from chassis.http.streams import Streams
from chassis.http.threads import Threads
from chassis.http.tokens import read_tokens
from trading.api import live_routes, operator_routes, order_routes, view_routes
from trading.callers import caller
from trading.ports import Door, NoAnswer, NotHandedOver, NotTaken, Views
from trading.queues import SERVICE
from trading.settings import Settings
from trading.usecases.live import LiveMarket
from trading.usecases.requests import BadRequest, RefusedByRule, Requests
from trading.usecases.views import Shown

LINKS = {"positions": "/positions", "kill switches": "/venue", "live page": "/live"}


def make_api(door: Door, views: Views, settings: Settings, *, registry: CollectorRegistry = REGISTRY) -> FastAPI:
    """The ASGI application. Whoever serves it sets `app.state.draining` when it is to stop. Raises BadSetting for unreadable tokens."""
    threads, readers = Threads(1, settings.answer_seconds), Threads(2, settings.answer_seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        door.close()
        threads.close()
        readers.close()

    app = FastAPI(
        title="Trading",
        description="Takes orders of people, and shows books, trades, candles, positions and latency. `/live` shows them live.",
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.callers = read_tokens(settings.api_tokens.get_secret_value(), caller)
    app.state.draining = asyncio.Event()
    app.state.websockets = True
    requests = Requests(door, settings.instruments)
    app.include_router(order_routes.routes(requests, settings.shard))
    app.include_router(operator_routes.routes(requests))
    shown = Shown(views, settings.instruments)
    app.include_router(view_routes.routes(shown, readers))
    limit = settings.live_streams_process_limit
    streams = Streams(limit, per_holder=settings.live_streams_client_limit, reserved=limit // 10)
    app.include_router(live_routes.routes(LiveMarket(requests, shown, readers.run), streams))
    app.include_router(health_routes.routes(door.ping, threads))
    app.include_router(reference.routes(app, LINKS))
    refusals.install(app)
    for kind, told in ((BadRequest, _bad), (RefusedByRule, _refused), (NotTaken, _not_taken)):
        app.add_exception_handler(kind, told)
    app.add_exception_handler(NotHandedOver, _away)
    app.add_exception_handler(NoAnswer, _unknown)
    app.add_middleware(Observed, service=SERVICE, registry=registry)
    return app


async def _bad(_: Request, error: Any) -> Response:
    return answer(Problem(422, str(error), errors=[wrong(error.field, error.value, error.reason)]))


async def _refused(_: Request, error: Any) -> Response:
    told = error.told
    return answer(Problem(422, str(error), errors=[wrong(told["rule"], told["value"], f"limit {told['limit']}")]))


async def _not_taken(_: Request, error: Any) -> Response:
    return answer(Problem(422, str(error)))


async def _away(_: Request, error: Any) -> Response:
    return answer(Problem(503, str(error), headers={"Retry-After": "1"}))


async def _unknown(_: Request, error: Any) -> Response:
    return answer(Problem(504, f"{error}; what became of it is unknown until it is asked for by its client id"))
