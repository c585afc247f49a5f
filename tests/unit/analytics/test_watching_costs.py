"""What counts and traces the events does nothing for an event, and keeps nothing of a request: at the edge and in the aggregator."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from loadtests.analytics.here import Aggregator, Edge
from prometheus_client import CollectorRegistry

from analytics.usecases.aggregate import Aggregate
from chassis import metrics, tracing
from chassis.http import metrics as http_metrics
from fakes.recorded_spans import trace_into
from fakes.watching_costs import blocks_held, blocks_left, lines_run

NOW_MS = 1_800_000_000_000
FEW, MANY = 250, 1000
"""Events of one request; one part and one batch in either case."""
REQUESTS = 100
"""And windows, after which there may be some twenty blocks more of anything: the numbers of counters are objects."""


def body(events: int) -> bytes:
    told = [
        {"id": f"e{n}", "user": f"u{n}", "content": f"c{n}", "kind": "view", "at_ms": NOW_MS} for n in range(events)
    ]
    return b"\n".join(json.dumps(event).encode() for event in told)


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics are counted, and every trace is recorded, for nobody. However busy the machine, no request is slow."""
    monkeypatch.setattr(http_metrics, "SLOW_SECONDS", math.inf)
    monkeypatch.setattr(tracing, "SLOW_SECONDS", math.inf)
    monkeypatch.setattr(metrics, "_set", metrics.Metrics("aggregate", CollectorRegistry()))
    trace_into(monkeypatch, SimpleNamespace(on_end=lambda span: None))


@pytest.fixture
def edges() -> Iterator[Callable[..., Edge]]:
    made: list[Edge] = []

    def make(observed: bool = True) -> Edge:
        made.append(Edge(NOW_MS))
        made[-1].observe(observed)
        made[-1].post(body(1))  # imports, and what is kept for good
        return made[-1]

    yield make
    for edge in made:
        edge.close()


def aggregators(edge: Edge, *sizes: int) -> list[Aggregator]:
    found = []
    for size in sizes:
        edge.post(body(size))
        found.append(Aggregator(edge.published.messages, NOW_MS))
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
    for one, other in [(held(body(FEW)), held(body(MANY))), (counted(few), counted(many))]:
        ((for_few,), (for_many,)) = one, other
        assert for_few > 0
        assert abs(for_many - for_few) < (MANY - FEW) / 50  # a number that grew into an object of its own, and no event


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

    assert with_it - left() < REQUESTS  # one of two: a request, a window


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
