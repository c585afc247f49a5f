"""What counts and traces the events does nothing for an event, and keeps nothing of a request: at the edge and in the aggregator."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry

from analytics.api import make_api
from analytics.domain.counting import Growth
from analytics.queues import SERVICE, aggregate
from analytics.settings import Settings
from analytics.usecases.aggregate import Aggregate
from analytics.usecases.collect import Collectors, Limits
from chassis import metrics, tracing
from chassis.app import make_app
from chassis.batch_consumer import BatchConsumer, BatchQueue
from chassis.batch_publisher import BatchPublisher
from chassis.http.metrics import Observed
from fakes.watching_costs import blocks_held, blocks_left, lines_run
from in_process import InProcess

NOW_MS = 1_800_000_000_000
QUEUE = aggregate(0)
FEW, MANY = 250, 1000
"""Events of one request; one part and one batch in either case."""
REQUESTS = 100
"""And windows, after which there may be some twenty blocks more of anything: the numbers of counters are objects."""

SETTINGS = Settings(
    database_url="postgresql+psycopg://nobody/none", broker_url="amqp://nobody", counters_url="redis://nobody/0",
    api_tokens=json.dumps({"t": {"client": "web"}}),
)  # fmt: skip
LIMITS = Limits(
    batch_events=1, linger_seconds=1.0, buffer_events=10**6, answer_seconds=30.0, late_ms=10**12, future_ms=10**12,
    user_events_per_minute=0,
)  # fmt: skip


def body(events: int) -> bytes:
    told = [
        {"id": f"e{n}", "user": f"u{n}", "content": f"c{n}", "kind": "view", "at_ms": NOW_MS} for n in range(events)
    ]
    return json.dumps(told).encode()


class Published(BatchPublisher):
    """Publishes to nobody. Calls `told` with each batch, in the thread that would wait for the broker."""

    told: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self) -> None:
        app = make_app(SERVICE, (QUEUE,), SETTINGS, batch_queues={QUEUE: BatchQueue(lambda: None)})
        super().__init__(app, QUEUE, threads=1)
        self.messages: list[Any] = []

    def _once(self, headers: dict[str, str], body: bytes) -> None:
        self.told()
        self.messages = [
            SimpleNamespace(headers=headers, body=body, delivery_tag=1, ack=lambda **_: None, delivery_info=None)
        ]


class Edge:
    """The API in this process, as its server calls it."""

    def __init__(self, *, observed: bool = True) -> None:
        self.published = Published()
        collectors = Collectors([self.published], LIMITS, clock_ms=lambda: NOW_MS)
        nobody: Any = SimpleNamespace()
        self.app: FastAPI = make_api(
            collectors, collectors, nobody, nobody, nobody, nobody, ping=lambda: None, lengths=nobody, settings=SETTINGS,
            clock_ms=lambda: NOW_MS, registry=CollectorRegistry(),
        )  # fmt: skip
        if not observed:
            self.app.user_middleware = [one for one in self.app.user_middleware if one.cls is not Observed]
        self._api = InProcess(self.app)
        self._requests = 0

    def post(self, told: bytes) -> None:
        """One request, answered."""
        self._requests += 1
        headers = {
            "Authorization": "Bearer t",
            "Content-Type": "application/json",
            "Idempotency-Key": f"k{self._requests}",
        }
        assert 200 == self._api.ask("POST", "/events", told, headers=headers)

    def close(self) -> None:
        self.published.close()
        self._api.close()


class Store:
    """Adds whatever comes, and calls `told`."""

    told: Callable[[], None] = staticmethod(lambda: None)

    def add(self, growth: Growth) -> frozenset[bytes]:
        self.told()
        return frozenset()

    def ping(self) -> None: ...


class Aggregator:
    """A consumer of batches without a connection, and what counts them."""

    def __init__(self, messages: Sequence[Any]) -> None:
        self.store, self._messages = Store(), messages
        counting = Aggregate(self.store, oldest_ms=10**12, clock_ms=lambda: NOW_MS + 1000)
        worker = SimpleNamespace(app=SimpleNamespace(settings=SETTINGS))
        self._consumer = BatchConsumer(worker, QUEUE, BatchQueue(lambda: counting))

    def flush(self) -> None:
        """A window of three batches."""
        for message in self._messages * 3:
            self._consumer._window.add(message)
        self._consumer._flush()
        assert 0 == self._consumer.held


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics are counted, and every trace is recorded, for nobody."""
    monkeypatch.setattr(metrics, "_set", metrics.Metrics("aggregate", CollectorRegistry()))
    monkeypatch.setattr(tracing, "_sink", SimpleNamespace(on_end=lambda span: None))
    monkeypatch.setattr(tracing, "_resource", Resource.create({}))
    monkeypatch.setattr(tracing, "_ratio", 1.0)


@pytest.fixture
def edges() -> Iterator[Callable[..., Edge]]:
    made: list[Edge] = []

    def make(**told: Any) -> Edge:
        made.append(Edge(**told))
        made[-1].post(body(1))  # imports, and what is kept for good
        return made[-1]

    yield make
    for edge in made:
        edge.close()


def aggregators(edge: Edge, *sizes: int) -> list[Aggregator]:
    found = []
    for size in sizes:
        edge.post(body(size))
        found.append(Aggregator(edge.published.messages))
        found[-1].flush()  # imports, and what is kept for good
    return found


def test_no_line_that_counts_or_traces_runs_for_an_event_at_the_edge(watching: None, edges: Any) -> None:
    def lines(events: int) -> Counter[str]:
        edge, told = edges(), body(events)
        edge.published.close()
        edge.published._pool = type(edge.published._pool)(1)  # a thread that begins where its lines are told
        return lines_run(lambda: edge.post(told))

    few, many = lines(FEW), lines(MANY)

    assert few == many
    assert {"Observed.__call__.<locals>.noted", "publishing", "Span.end"} <= few.keys()


def test_no_line_that_counts_or_traces_runs_for_an_event_in_the_aggregator(watching: None, edges: Any) -> None:
    few, many = (lines_run(one.flush, Aggregate._measure) for one in aggregators(edges(), FEW, MANY))

    assert few == many
    assert {"Aggregate._measure", "flushing", "Span.end", "count"} <= few.keys()


def test_what_counts_and_traces_holds_as_much_for_many_events_as_for_few(watching: None, edges: Any) -> None:
    edge = edges()
    few, many = aggregators(edge, FEW, MANY)

    def held(told: bytes) -> list[int]:
        def look_while_it_is_published(look: Callable[[], None]) -> None:
            edge.published.told = look
            edge.post(told)

        return blocks_held(look_while_it_is_published)

    def counted(one: Aggregator) -> list[int]:
        def look_while_it_is_counted(look: Callable[[], None]) -> None:
            one.store.told = look
            one.flush()

        return blocks_held(look_while_it_is_counted)

    held(body(1))  # what is kept for good
    (at_the_edge,) = held(body(FEW))
    assert [at_the_edge] == held(body(MANY))
    (in_the_aggregator,) = counted(few)
    assert [in_the_aggregator] == counted(many)
    assert at_the_edge > 0
    assert in_the_aggregator > 0


@pytest.mark.parametrize("events", [1, FEW])
def test_watching_leaves_no_block_of_memory_behind(
    watching: None, edges: Any, events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = body(events)

    def requests(edge: Edge) -> Callable[[], None]:
        def post() -> None:
            for _ in range(REQUESTS):
                edge.post(told)

        post()
        return post

    def left() -> int:
        edge = edges(observed=tracing.on())
        (one,) = aggregators(edge, events)
        return blocks_left(requests(edge)) + blocks_left(lambda: [one.flush() for _ in range(REQUESTS)])

    with_it = left()
    monkeypatch.setattr(metrics, "_set", None)
    monkeypatch.setattr(tracing, "_sink", None)

    assert with_it - left() < REQUESTS // 2


def test_what_is_done_for_each_event_would_be_seen() -> None:
    """The measures themselves: a metric that is counted event by event, and a span that is kept for each."""

    def counted(events: int) -> Callable[[], None]:
        return lambda: [metrics.count(metrics.BATCHES, "q", "applied") for _ in range(events)] and None

    def traced(look: Callable[[], None]) -> None:
        kept = [tracing.Span("x", tracing.Kind.INTERNAL, tracing.new_trace(), None, None, 0) for _ in range(MANY)]
        look()
        assert len(kept) == MANY

    assert lines_run(counted(MANY)).total() == lines_run(counted(FEW)).total() * MANY // FEW
    assert blocks_held(traced)[0] > MANY
    assert blocks_left(lambda: KEPT.extend(object() for _ in range(MANY))) >= MANY


KEPT: list[object] = []
