"""Counts, times and traces every request (ASGI). Labels are the route's template and the status, never an id: each would be a series.

A request begins a trace. What a client says of a trace of its own is linked, never continued, and its sampling flag does not count: anybody
could make us record, or hide, whatever he likes. Probes and scrapes make no traces.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import personal, traceparent, tracing
from chassis.loggers import get_logger
from chassis.traceparent import Context
from chassis.tracing import Kind, Span

log = get_logger(__name__)

_BOUNDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)

SLOW_SECONDS = 1.0
"""A request whose answer begins later gets a log line."""


class Observed:
    """Wraps the application; its numbers are in `registry`, and their names begin with the service's.

    It counts in numbers of its own, which a scrape reads: a request with thousands of events leaves the code of a library of metrics in no
    cache, and to call it twice took 1 % of that request. All requests are in one thread.
    """

    def __init__(self, app: ASGIApp, service: str, registry: CollectorRegistry) -> None:
        self._app = app
        self._service = service
        self._requests: dict[tuple[str, str, int], int] = {}
        self._seconds: dict[tuple[str, str], list[float]] = {}
        """By method and route the sum of all times, and how many there were in each bucket."""
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """What was counted so far; for the registry, in any thread."""
        requests = CounterMetricFamily(
            f"{self._service}_http_requests", "Requests by route and status", labels=("method", "route", "status")
        )
        for (method, route, status), count in list(self._requests.items()):
            requests.add_metric((method, route, str(status)), count)
        yield requests
        seconds = HistogramMetricFamily(
            f"{self._service}_http_request_seconds", "Time to the first byte of the answer", labels=("method", "route")
        )
        for labels, (total, *counts) in list(self._seconds.items()):
            buckets = zip((*map(str, _BOUNDS), "+Inf"), accumulate(counts), strict=True)
            seconds.add_metric(labels, list(buckets), total)
        yield seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        span = _begun(scope)

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The route is known by now; its template, so that an id makes no series.
                method, route, status = _method(scope, "other"), _route(scope), message["status"]
                seconds = time.perf_counter() - began
                self._count(method, route, status, seconds)
                _told(span, scope, route, status)
                if status >= 500 or seconds > SLOW_SECONDS:
                    level = log.error if status >= 500 else log.warning
                    event = "server_error" if status >= 500 else "request_slow"
                    level(event, method=method, route=route, status=status, seconds=round(seconds, 3))
            await send(message)

        token = None if span is None else tracing.enter(span)
        held = personal.enter(None)
        try:
            await self._app(scope, receive, noted)
        except BaseException as error:
            tracing.failed(span, error)
            raise
        finally:
            personal.leave(held)
            if span is not None and token is not None:
                tracing.leave(token)
                span.end()

    def _count(self, method: str, route: str, status: int, seconds: float) -> None:
        key = method, route, status
        self._requests[key] = self._requests.get(key, 0) + 1
        times = self._seconds.get((method, route))
        if times is None:
            times = self._seconds[method, route] = [0.0] * (len(_BOUNDS) + 2)
        times[0] += seconds
        times[1 + bisect_left(_BOUNDS, seconds)] += 1


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
