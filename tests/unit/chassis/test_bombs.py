"""Names and reasons that strangers make up are no series, in whatever number they come; without a broker and a database, which take longer
than the names. BOMBS says how many of each: 100,000 is all. What the servers keep of some is asked in tests/integration/chassis.
"""

import json
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import repeat
from types import SimpleNamespace
from typing import Any

import pytest
from billiard import einfo
from celery import signals
from kombu.message import Message
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from chassis import metrics, parking
from chassis.app import ChassisApp, make_app
from chassis.instruments import Watch
from chassis.periodic import Ticks
from chassis.settings import ServiceSettings
from chassis.worker import Consumer
from fakes.recorded_spans import trace_into

BOMBS = int(os.environ.get("BOMBS", "1000"))
MOST_SERIES = 50
QUEUE = "shop.till"

pytestmark = pytest.mark.timeout(120 + BOMBS / 100)


@pytest.fixture
def series(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many series there are now."""
    registry = CollectorRegistry()
    monkeypatch.setattr(metrics, "_set", metrics.Metrics("till", registry))
    return lambda: sum(len(metric.samples) for metric in registry.collect())


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many of each name were recorded."""
    names: Counter[str] = Counter()
    trace_into(monkeypatch, SimpleNamespace(on_end=lambda span: names.update((span.name,))))
    return names


@pytest.fixture
def parked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many were to be parked by each reason."""
    reasons: Counter[str] = Counter()
    monkeypatch.setattr(parking, "park_message", lambda *_, found, **__: reasons.update((found.reason,)))
    monkeypatch.setattr(parking, "park_failure", lambda *_, reason, **__: reasons.update((reason,)))
    return reasons


@pytest.fixture
def shop() -> Iterator[ChassisApp]:
    """A service whose only task fails as it is told, watched as in a worker."""
    settings = ServiceSettings(database_url="postgresql+psycopg://nobody/none", broker_url="amqp://nobody")
    app, watch = make_app("shop", (QUEUE,), settings), Watch("rabbitmq")

    @app.task(name="shop.fail", shared=False)
    def fail(says: str) -> None:
        raise RuntimeError(says)

    watching = (
        (signals.task_prerun, watch.begin),
        (signals.task_postrun, watch.end),
        (signals.task_failure, watch.fail),
    )
    for signal, receiver in watching:
        signal.connect(receiver, weak=False)
    yield app
    for signal, receiver in watching:
        signal.disconnect(receiver)


class Code:
    """What billiard keeps of the code of a frame, without where each instruction stands. In a test that list leaves 0.35 MB of each failure
    behind, which nobody gets back (billiard 4.3.2, CPython 3.11.7)."""

    def __init__(self, code: Any) -> None:
        for name in (name for name in dir(code) if name.startswith("co_") and not callable(getattr(code, name))):
            setattr(self, name, getattr(code, name))

    def co_positions(self) -> Iterator[tuple[None, None, None, None]]:
        return repeat((None, None, None, None))


def handler(app: ChassisApp) -> Callable[[Any], None]:
    """What a worker calls with each message of its queue."""
    made = Consumer.__new__(Consumer)
    made.app, made.controller = app, SimpleNamespace(time_limit=20, soft_time_limit=10)
    made.connection_errors, made.channel_errors = (ConnectionError,), (LookupError,)
    made.strategies, made.on_task_message, made.ticks = {}, set(), Ticks({})
    return made.create_task_handler()


def message(task: str, acknowledged: list[int], **headers: Any) -> Message:
    channel = SimpleNamespace(basic_ack=lambda tag, multiple=False: acknowledged.append(tag), no_ack_consumers=None)
    return Message(
        json.dumps([[], {}, {}]), channel=channel, delivery_tag=1, content_type="application/json", content_encoding="utf-8",
        delivery_info={"exchange": "", "routing_key": QUEUE}, headers={"lang": "py", "task": task, "id": str(uuid.uuid4()), **headers},
    )  # fmt: skip


def test_no_name_of_a_task_makes_a_series(
    shop: ChassisApp, series: Callable[[], int], spans: Counter[str], parked: Counter[str]
) -> None:
    received, acknowledged = handler(shop), list[int]()
    with capture_logs():
        received(message("shop.first", acknowledged))
        before = series()
        for _ in range(BOMBS):
            made_up = str(uuid.uuid4())
            received(
                message(
                    f"shop.{made_up}", acknowledged, origin=made_up, shadow=made_up, group=made_up, traceparent=made_up
                )
            )

    assert {"unknown_task": BOMBS + 1} == parked
    assert BOMBS + 1 == len(acknowledged)
    assert series() - before <= MOST_SERIES
    assert {} == spans


def test_no_reason_of_a_failure_makes_a_series(
    shop: ChassisApp,
    series: Callable[[], int],
    spans: Counter[str],
    parked: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(einfo._Frame, "Code", Code)
    task = shop.tasks["shop.fail"]
    with capture_logs() as lines:
        task.apply(kwargs={"says": "first"})
        before = series()
        for _ in range(BOMBS):
            task.apply(kwargs={"says": str(uuid.uuid4())})
            lines.clear()

    assert {"bug": BOMBS + 1} == parked
    assert series() - before <= MOST_SERIES
    assert {"process ?": BOMBS + 1} == spans
