"""The faults of a watched platform that only the analytics can have, with the alerts that they must raise."""

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from conductor.capstones.analytics import COUNTERS
from conductor.capstones.analytics.api_client import EdgeApi
from conductor.capstones.analytics.events import Shape, drawn, ndjson
from conductor.capstones.analytics.targets import AGGREGATE
from conductor.harness import alert_faults
from conductor.harness.alert_plays import Expected, Play
from conductor.harness.background import in_background
from conductor.harness.broker_client import BrokerClient
from conductor.harness.load import insist
from conductor.harness.parked import parked
from conductor.history import now
from conductor.laptop.runtime import LocalRuntime

EVENTS = 4000
"""Of a request."""
LATE_REQUESTS, TIMELY_REQUESTS = 16, 250

STILL_SECONDS, GOING_SECONDS = 12.0, 3.0
"""A batch that waits for more than 5 s is late; it is counted in the pauses."""

UNREADABLE = b"\xff\xfe\x00"


def plays(runtime: LocalRuntime) -> Sequence[Play]:
    """Counters that stand still, events that are late, batches that cannot be read."""
    return (
        Play(
            "counters stand still, 12 s of 15",
            counters_still,
            (Expected("VisibleLate", 60, 15), Expected("ErrorBudgetBurn", 0, 30, resolving_seconds=240)),
        ),
        Play(f"{LATE_REQUESTS * EVENTS:,} late events", late_events, (Expected("LateShare", resolving_seconds=240),)),
        Play("a batch that cannot be read", unreadable_batch, (Expected("BatchParked"),)),
    )


@contextmanager
def counters_still(runtime: LocalRuntime) -> Iterator[None]:
    """A store whose disk hangs again and again."""

    def still(over: threading.Event) -> None:
        while not over.is_set():
            with runtime.stopped_server(COUNTERS):
                over.wait(STILL_SECONDS)
            over.wait(GOING_SECONDS)

    with in_background(still):
        yield


@contextmanager
def late_events(runtime: LocalRuntime) -> Iterator[None]:
    """Late events, and then so many others that they are a small share again."""
    _send(runtime, LATE_REQUESTS, Shape(events=EVENTS, late=1.0))
    yield
    _send(runtime, TIMELY_REQUESTS, Shape(events=EVENTS))


def _send(runtime: LocalRuntime, requests: int, shape: Shape) -> None:
    scope = f"alert-{secrets.token_hex(4)}-"
    with EdgeApi.of(runtime) as api:
        for number in range(requests):
            key = f"{scope}{number}"
            body = ndjson(key, drawn(scope, 1, number, round(now() * 1000), shape))
            insist(lambda key=key, body=body: api.send(key, body))  # type: ignore[misc]


@contextmanager
def unreadable_batch(runtime: LocalRuntime) -> Iterator[None]:
    """A batch that is none."""
    before = {record["id"] for record in parked(runtime, "analytics.app")}
    (queue,) = runtime.pools()[AGGREGATE.pool].queues
    with BrokerClient.of(runtime) as broker:
        broker.send_raw(
            queue, UNREADABLE, headers={}, content_type="application/octet-stream", content_encoding="binary"
        )
    try:
        yield
    finally:
        alert_faults.drop_parked(runtime, before)
