"""Counts, times and traces every request (ASGI). Labels are the route's template and the status, never an id: each would be a series.

A request begins a trace. What a client says of a trace of its own is linked, never continued, and its sampling flag does not count: anybody
could make us record, or hide, whatever he likes. Probes and scrapes make no traces.
"""

import asyncio
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import personal, traceparent, tracing
from chassis.loggers import get_logger
from chassis.traceparent import Context
from chassis.tracing import Kind, Span

log = get_logger(__name__)

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)

SLOW_SECONDS = 1.0
"""A request whose answer begins later gets a log line."""


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
        self._labelled: dict[tuple[str, str, int], tuple[Any, Any]] = {}
        """What a request is counted with, by method, route and status: to find it anew takes longer than to count."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        span = _begun(scope)
        answered = False

        async def noted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                self._note(scope, span, message["status"], time.perf_counter() - began)
            await send(message)

        token = None if span is None else tracing.enter(span)
        with personal.scope():  # also of what a span says of an exception
            try:
                await self._app(scope, receive, noted)
            except BaseException as error:
                tracing.failed(span, error)
                if not answered:
                    self._note(scope, span, _status_of(error), time.perf_counter() - began)
                    answered = True
                raise
            finally:
                if span is not None and token is not None:
                    tracing.leave(token)
                    if answered:  # else the client went away before its request was whole, and nothing was done
                        span.end()

    def _note(self, scope: Scope, span: Span | None, status: int, seconds: float) -> None:
        """The answer begins. The route is known by now; its template is told, so that an id makes no series."""
        method, route = _method(scope, "other"), _route(scope)
        requests, times = self._of(method, route, status)
        requests.inc()
        times.observe(seconds)
        _told(span, scope, route, status)
        if status >= 500 or seconds > SLOW_SECONDS:
            level = log.error if status >= 500 else log.warning
            event = "server_error" if status >= 500 else "request_slow"
            level(event, method=method, route=route, status=status, seconds=round(seconds, 3))

    def _of(self, method: str, route: str, status: int) -> tuple[Any, Any]:
        found = self._labelled.get((method, route, status))
        if found is None:
            found = self._requests.labels(method, route, status), self._seconds.labels(method, route)
            self._labelled[method, route, status] = found
        return found


def _status_of(error: BaseException) -> int:
    """What is answered outside of here to a request that ended so: by Starlette, or by chassis.http.server when it is cut off."""
    return 503 if isinstance(error, asyncio.CancelledError) else 500


def _begun(scope: Scope) -> Span | None:
    if scope["path"].startswith(("/health", "/metrics")):
        return None
    span = tracing.begin(_method(scope), Kind.SERVER)
    if span is not None:
        span.link(_of_client(scope["headers"]))
    return span


def _of_client(headers: Any) -> Context | None:
    """What the client says its request belongs to; None unless it says so once, in the form of the standard."""
    told = [value for name, value in headers if name == b"traceparent"]
    return traceparent.read(told[0].decode("latin-1")) if len(told) == 1 else None


def _told(span: Span | None, scope: Scope, route: str, status: int) -> None:
    if span is None:
        return
    method = _method(scope)
    span.name = f"{method} {route}" if route != UNKNOWN else method
    span.attributes |= {"http.request.method": method, "http.response.status_code": status}
    if route != UNKNOWN:
        span.attributes["http.route"] = route
    if status >= 500:
        span.fail(str(status))
    if status >= 400:
        span.disown()


def _method(scope: Scope, other: str = "_OTHER") -> str:
    """The method, or `other`: by default OpenTelemetry's word for one that is invented."""
    return str(scope["method"]) if scope["method"] in _METHODS else other


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", UNKNOWN))


UNKNOWN = "unknown"

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
