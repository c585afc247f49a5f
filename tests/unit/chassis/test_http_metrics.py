"""Every request is counted and its span has a status, whoever answers it."""

import asyncio
import contextlib
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from chassis.http import refusals
from chassis.http.body_limit import BodyLimit
from chassis.http.metrics import Observed
from fakes.recorded_spans import recorded_spans


def api(registry: CollectorRegistry) -> FastAPI:
    """As the services' are put together."""
    app = FastAPI()

    @app.get("/things/{number}")
    async def thing(number: int) -> int:
        return 1 // number

    @app.get("/cut-off")
    async def cut_off() -> None:
        raise asyncio.CancelledError

    refusals.install(app)
    app.add_middleware(BodyLimit, limit=100)
    app.add_middleware(Observed, service="shop", registry=registry)
    return app


def counted(registry: CollectorRegistry, route: str, status: str) -> float | None:
    return registry.get_sample_value("shop_http_requests_total", {"method": "GET", "route": route, "status": status})


@pytest.mark.parametrize(("number", "status"), [(1, 200), (0, 500)])
def test_a_request_is_counted_and_its_span_has_its_status_also_when_it_raises(
    monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    registry, spans = CollectorRegistry(), recorded_spans(monkeypatch)
    with capture_logs() as lines:
        answer = TestClient(api(registry), raise_server_exceptions=False).get(f"/things/{number}")

    (span,) = spans()
    told = dict(span.attributes or {})
    assert status == answer.status_code == told["http.response.status_code"]
    assert 1 == counted(registry, "/things/{number}", f"{status}")
    assert "GET /things/{number}" == span.name
    assert (status == 500) == ("server_error" in [line["event"] for line in lines])
    assert told.get("error.type") == ("ZeroDivisionError" if status == 500 else None)


def test_a_request_that_is_cut_off_has_the_status_that_the_server_then_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, spans = CollectorRegistry(), recorded_spans(monkeypatch)

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(called(api(registry), "/cut-off", {"type": "http.request", "body": b"", "more_body": False}))

    (span,) = spans()
    assert 503 == (span.attributes or {})["http.response.status_code"]
    assert 1 == counted(registry, "/cut-off", "503")


def test_a_request_that_never_came_whole_has_no_answer_and_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, spans = CollectorRegistry(), recorded_spans(monkeypatch)

    asyncio.run(called(api(registry), "/things/1", {"type": "http.disconnect"}))

    assert () == spans()
    assert None is counted(registry, "/things/{number}", "200")


async def called(app: Any, path: str, message: dict[str, Any]) -> None:
    """Ask for a path; the message is all that comes of the request."""

    async def receive() -> dict[str, Any]:
        return message

    async def send(_: Any) -> None:
        """Nobody reads it."""

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "root_path": ""}
    await app(scope, receive, send)
