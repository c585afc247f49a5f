"""Counts, times and traces every request (ASGI). Labels are the route's template and the status, never an id: each would be a series."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import tracing

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)


class Observed:
    """Wraps the application; its numbers are in `registry`, and their names begin with the service's."""

    def __init__(self, app: ASGIApp, service: str, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            f"{service}_http_requests", "Requests by route and status", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            f"{service}_http_request_seconds",
            "Time to the first byte of the answer",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The route is known by now; its template, so that an id makes no series.
                method, route = scope["method"], getattr(scope.get("route"), "path", "unknown")
                method = method if method in _METHODS else "other"
                self._requests.labels(method, route, message["status"]).inc()
                self._seconds.labels(method, route).observe(time.perf_counter() - began)
            await send(message)

        with tracing.span("http.request", headers=Headers(scope=scope), http__request__method=scope["method"]):
            await self._app(scope, receive, noted)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
