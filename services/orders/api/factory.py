"""Builds the application from a store and the settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from prometheus_client import REGISTRY, CollectorRegistry

from chassis.http import health_routes, reference, schema
from chassis.http.body_limit import BodyLimit
from chassis.http.metrics import Observed
from chassis.http.parameters import only_known
from chassis.http.streams import Streams
from chassis.http.threads import Threads
from chassis.http.tokens import read_tokens
from orders.api import callback_routes, order_routes, refusals, stock_routes, stream_routes
from orders.api.access import caller
from orders.api.bodies import BODIES
from orders.ports import IntakeStore
from orders.queues import SERVICE
from orders.settings import Settings
from orders.usecases.callbacks import Callbacks
from orders.usecases.catalogue import Catalogue
from orders.usecases.intake import Intake, Limits
from orders.usecases.views import Viewing


def make_api(
    store: IntakeStore,
    *,
    settings: Settings,
    registry: CollectorRegistry = REGISTRY,
) -> FastAPI:
    """The ASGI application. Whoever serves it sets `app.state.draining` when it is to stop. Raises BadSetting for unreadable tokens."""
    threads = Threads(settings.api_threads, settings.api_deadline_seconds)
    limits = Limits(settings.open_orders_limit, settings.open_commands_limit, settings.reservation_seconds)
    intake = Intake(store, limits)
    viewing = Viewing(store)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        threads.close()

    app = FastAPI(
        title="Orders",
        description="Takes orders, and brings each to delivered, cancelled or failed. Money is in minor units.",
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,
        dependencies=[Depends(only_known)],
        docs_url=None,
        redoc_url=None,
    )
    app.state.callers = read_tokens(settings.tokens(), caller)
    app.state.draining = asyncio.Event()
    streams = Streams(
        settings.event_streams_process_limit, settings.event_streams_limit, settings.event_streams_reserved
    )
    app.include_router(order_routes.routes(intake, viewing, threads))
    app.include_router(stream_routes.routes(viewing, threads, streams, settings.event_stream_seconds))
    app.include_router(stock_routes.routes(Catalogue(store), threads))
    callbacks = Callbacks(store)
    app.include_router(callback_routes.routes(callbacks, threads, secret=settings.carrier_secret.get_secret_value()))
    app.include_router(health_routes.routes(lambda: store.ping(), threads))
    app.include_router(reference.routes(app, {"orders": "/orders", "stock": "/stock"}))
    refusals.install(app)
    app.add_middleware(BodyLimit, limit=settings.body_limit_bytes)
    app.add_middleware(Observed, service=SERVICE, registry=registry)
    schema.complete(app, BODIES)
    return app
