"""What a span tells of a failure is what the registry says that it tells."""

import asyncio
import contextlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from chassis import batch_traces, sending, tracing
from chassis.http.metrics import Observed
from chassis.instruments import Watch
from chassis.tracing import Kind
from fakes.recorded_spans import recorded_spans
from told_spans import REGISTRY

WHY = ConnectionError("the broker is away")


def request() -> None:
    async def app(*_: Any) -> None:
        raise WHY

    async def nothing(*_: Any) -> Any:
        return None

    observed = Observed(app, "shop", CollectorRegistry())
    scope = {"type": "http", "method": "POST", "path": "/events", "headers": []}
    asyncio.run(observed(scope, nothing, nothing))


def send() -> None:
    with sending.sent("rabbitmq", "shop.count", "shop.till", "id-1"):
        raise WHY


def process_message() -> None:
    watch, task = Watch("rabbitmq"), SimpleNamespace(name="shop.count", request=SimpleNamespace(delivery_info=None))
    watch.begin("id-1", task)
    watch.fail("id-1", WHY)
    watch.end("id-1", task, "FAILURE")


def send_batch() -> None:
    asked = tracing.begin("POST /events", Kind.SERVER)
    assert asked is not None
    sent = batch_traces.publishing("rabbitmq", "shop.count", "b-1", [asked])
    assert sent is not None
    tracing.failed(sent, WHY)
    sent.end()


def flush() -> None:
    with batch_traces.flushing("rabbitmq", "shop.count", []):
        raise WHY


@pytest.mark.parametrize("made", [request, send, process_message, send_batch, flush])
def test_a_span_that_failed_tells_what_the_registry_wants_and_its_exception_is_registered(
    monkeypatch: pytest.MonkeyPatch, made: Callable[[], None]
) -> None:
    spans = recorded_spans(monkeypatch)
    with contextlib.suppress(ConnectionError):
        made()

    (failed,) = spans()
    assert "ConnectionError" == (failed.attributes or {})["error.type"]
    assert {"exception"} == {event.name for event in failed.events}
    entry = REGISTRY["spans"][made.__name__]
    assert set(entry["attributes"]) <= (failed.attributes or {}).keys()
    assert "exception" in entry.get("events", ())
