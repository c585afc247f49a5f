"""Edge and aggregator in this process, without broker and store: what they do themselves, for tests and benches of what watching costs."""

import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from analytics.api import make_api
from analytics.domain.counting import Growth
from analytics.queues import SERVICE, aggregate
from analytics.settings import Settings
from analytics.usecases.aggregate import Aggregate
from analytics.usecases.collect import Collectors, Limits
from chassis.app import make_app
from chassis.batch_consumer import BatchConsumer, BatchQueue
from chassis.batch_publisher import BatchPublisher
from chassis.http.metrics import Observed
from loadtests.in_process import InProcess

QUEUE = aggregate(0)
TOKEN = "bench"
SETTINGS = Settings(
    database_url="postgresql+psycopg://nobody/none",
    broker_url="amqp://nobody",
    counters_url="redis://nobody/0",
    api_tokens=json.dumps({TOKEN: {"client": "bench"}}),
)
LIMITS = Limits(
    batch_events=1,
    linger_seconds=1.0,
    buffer_events=10**6,
    answer_seconds=30.0,
    late_ms=10**12,
    future_ms=10**12,
    user_events_per_minute=0,
)
"""Each request is a batch, whatever its events are."""


class Published(BatchPublisher):
    """Publishes to nobody. Calls `told` with each batch, in the thread that would wait for the broker."""

    told: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self) -> None:
        app = make_app(SERVICE, (QUEUE,), SETTINGS, batch_queues={QUEUE: BatchQueue(lambda: None)})  # type: ignore[arg-type,return-value]
        super().__init__(app, QUEUE, threads=1)
        self.messages: list[Any] = []
        """As the last batch would be delivered."""

    def _once(self, headers: dict[str, str], body: bytes) -> None:
        self.told()
        told = {"headers": headers, "body": body, "delivery_tag": 1, "delivery_info": None, "ack": lambda **_: None}
        self.messages = [SimpleNamespace(**told)]


class Edge:
    """The API, as its server calls it."""

    def __init__(self, now_ms: int) -> None:
        self.published = Published()
        collectors = Collectors([self.published], LIMITS, clock_ms=lambda: now_ms)
        nobody: Any = SimpleNamespace()
        app = make_api(
            collectors,
            collectors,
            nobody,
            nobody,
            nobody,
            nobody,
            ping=lambda: None,
            lengths=nobody,
            settings=SETTINGS,
            clock_ms=lambda: now_ms,
            registry=CollectorRegistry(),
        )
        stack: Any = app.build_middleware_stack()
        app.middleware_stack = stack
        self._above = stack
        while not isinstance(self._above.app, Observed):
            self._above = self._above.app
        self._observed = self._above.app
        self._api = InProcess(app)
        self._requests = 0

    def observe(self, observed: bool) -> None:
        """Count and trace requests from now on, or do not."""
        # The same application either way: what a second one takes differs by more, because of where its memory lies.
        self._above.app = self._observed if observed else self._observed._app

    def post(self, lines: bytes) -> None:
        """One request with events, one a line, answered."""
        self._requests += 1
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/x-ndjson"}
        status = self._api.ask("POST", "/events", lines, headers={**headers, "Idempotency-Key": f"k{self._requests}"})
        assert status == 200, status

    def close(self) -> None:
        """End its threads."""
        self.published.close()
        self._api.close()


class Store:
    """Adds whatever comes, and calls `told`."""

    told: Callable[[], None] = staticmethod(lambda: None)

    def add(self, growth: Growth) -> frozenset[bytes]:
        """As ports.CounterStore."""
        self.told()
        return frozenset()

    def ping(self) -> None:
        """It answers."""


class Aggregator:
    """A consumer of batches without a connection, and what counts them."""

    def __init__(self, messages: Sequence[Any], now_ms: int, batches: int = 3) -> None:
        """A window is these messages, so often that it has so many batches."""
        self.store = Store()
        self._messages = [messages[number % len(messages)] for number in range(batches)]
        counting = Aggregate(self.store, oldest_ms=10**12, clock_ms=lambda: now_ms + 1000)
        worker = SimpleNamespace(app=SimpleNamespace(settings=SETTINGS))
        self._consumer = BatchConsumer(worker, QUEUE, BatchQueue(lambda: counting))

    def flush(self) -> None:
        """One window."""
        for message in self._messages:
            self._consumer._window.add(message)
        self._consumer._flush()
        assert self._consumer.held == 0
