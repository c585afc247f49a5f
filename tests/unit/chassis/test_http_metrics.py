"""What an API counts of its requests is shown as the library of metrics would show it."""

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from chassis.http import metrics
from chassis.http.metrics import Observed

TAKES = (0.0, 0.002, 0.0021, 0.3, 5.0, 5.1, 70.0)


class Clock:
    """Each request takes as long as the next of TAKES."""

    def __init__(self) -> None:
        self._readings = iter([reading for took in TAKES for reading in (0.0, took)])

    def perf_counter(self) -> float:
        return next(self._readings)


def shown(registry: CollectorRegistry) -> dict[Any, float]:
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def ask(observed: Observed, method: str, path: str) -> None:
    async def nothing(*_: Any) -> Any:
        return None

    asyncio.run(observed({"type": "http", "method": method, "path": path, "headers": []}, nothing, nothing))


def test_requests_are_shown_as_the_library_would_show_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(scope: Any, _: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200 if scope["method"] == "GET" else 405})
        await send({"type": "http.response.body"})

    ours, theirs = CollectorRegistry(), CollectorRegistry()
    monkeypatch.setattr(metrics, "time", Clock())
    observed = Observed(app, "shop", ours)
    requests = Counter("shop_http_requests", "-", ("method", "route", "status"), registry=theirs)
    seconds = Histogram("shop_http_request_seconds", "-", ("method", "route"), buckets=metrics._BOUNDS, registry=theirs)
    for number, took in enumerate(TAKES):
        method = "GET" if number % 2 else "BREW"
        ask(observed, method, "/x")
        known = method if method == "GET" else "other"
        requests.labels(known, "unknown", 200 if method == "GET" else 405).inc()
        seconds.labels(known, "unknown").observe(took)

    assert shown(theirs) == shown(ours)


def test_before_the_first_request_nothing_is_shown() -> None:
    registry = CollectorRegistry()
    Observed(lambda *_: None, "shop", registry)

    assert {} == shown(registry)
