"""An order's spans are those of its inputs in the journal, with the engine's time, and lead to its own trace."""

import itertools
import socket
from collections import Counter, defaultdict, deque
from typing import Any

import pytest

from chassis import span_export, tracing
from chassis.settings import ServiceSettings
from chassis.tracing import Kind
from fakes.recorded_spans import recorded_spans
from fakes.trading_schedules import journaled
from trading.domain.engine import Engine
from trading.domain.terms import Input, Outcome
from trading.usecases import order_traces
from trading.usecases.order_traces import NAMING

BEGAN, ENDED = 2_000_000_000_000_000_000, 2_000_000_000_500_000_000


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tracing into memory; nothing waits to be told of."""
    monkeypatch.setattr(order_traces, "_late", deque())
    return recorded_spans(monkeypatch)


def journal(seed: int, inputs: int) -> tuple[list[bytes], dict[int, list[tuple[int, int]]]]:
    """Records, and by order each input that concerns it: sequence number, and the engine's time."""
    engine, records = Engine(), []
    concerned: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for record, outcomes, written in journaled(engine, seed, inputs):
        records.append(written)
        named = {outcome[3] for outcome in outcomes if outcome[0] in NAMING}
        refused = record[0] == Input.NEW and outcomes[0][0] == Outcome.REFUSED
        for order in named | ({len(records)} if refused else set()):
            concerned[order].append((len(records), engine.now_us))
    return records, concerned


@pytest.mark.parametrize(("seed", "stride"), [(1, 1), (2, 1), (3, 8), (4, 512)])
def test_the_steps_are_what_the_engine_did_to_each_order(seed: int, stride: int) -> None:
    records, concerned = journal(seed, 600)
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for step in order_traces.steps(1, records, 0, stride):
        found[step.order_id].append((step.sequence, step.at_us))

    assert found == {order: steps for order, steps in concerned.items() if not order % stride}
    assert found


def test_an_order_begins_its_own_trace_and_what_follows_is_linked_with_it(spans: Any) -> None:
    records, concerned = journal(1, 600)
    order = next(number for number, steps in concerned.items() if len(steps) > 1)
    (made, _), (again, _) = concerned[order][:2]
    for sequence in (made, again):
        order_traces.tell(4, sequence, records[sequence - 1 : sequence], BEGAN // 1000 - 1_000_000, BEGAN, ENDED)

    mine = [span for span in spans() if span.attributes["order.id"] == str(order)]
    own = order_traces.own_trace(4, order)
    first = [span for span in mine if span.context.trace_id == own.trace_id]
    later = [span for span in mine if span.context.trace_id != own.trace_id]
    assert 3 == len(first) == len(later)
    assert {own.span_id} == {span.context.span_id for span in first if span.parent is None}
    assert own.span_id in {link.context.span_id for span in later for link in span.links}
    (wait,) = [span for span in first if span.name == "wait trading.portfolio"]
    (applied,) = [span for span in first if span.name.startswith("apply ")]
    assert (1_000_000_000, ENDED - BEGAN) == (wait.end_time - wait.start_time, applied.end_time - applied.start_time)


@pytest.mark.parametrize(("ahead_us", "seconds", "flag"), [(5_000_000, 0, True), (-5_000_000, 5, None)])
def test_an_engine_whose_clock_is_ahead_makes_no_wait_of_less_than_nothing_and_that_is_told(
    spans: Any, ahead_us: int, seconds: int, flag: bool | None
) -> None:
    records, concerned = journal(1, 600)
    (sequence, _), *_ = next(iter(concerned.values()))
    order_traces.tell(4, sequence, records[sequence - 1 : sequence], BEGAN // 1000 + ahead_us, BEGAN, ENDED)

    waits = [span for span in spans() if span.name == "wait trading.portfolio"]
    assert {(seconds, BEGAN, flag)} == {
        ((span.end_time - span.start_time) / 10**9, span.end_time, span.attributes.get("clamped")) for span in waits
    }


def steps_told(spans: Any) -> list[tuple[int, int]]:
    """Order and sequence number of each step that has a span, as they were told."""
    engine = [span for span in spans() if span.name.startswith("engine ")]
    return sorted((int(span.attributes["order.id"]), int(span.attributes["sequence"])) for span in engine)


def windows(spans: Any) -> list[Any]:
    return [span for span in spans() if span.name == "process trading.portfolio"]


def test_what_a_burst_has_too_much_of_is_told_with_the_next_windows(
    spans: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "_ratio", 0.5)
    records, _ = journal(2, 600)
    steps = [(step.order_id, step.sequence) for step in order_traces.steps(1, records, 0, 2)]
    told = [0]
    for window in range(3 + len(steps) // order_traces.MOST_STEPS):
        with tracing.span("process trading.portfolio", Kind.CONSUMER):
            order_traces.tell(0, 1, records if not window else [], 0, BEGAN, ENDED)
        told.append(len(steps_told(spans)))

    assert len(steps) > order_traces.MOST_STEPS
    assert max(after - before for before, after in itertools.pairwise(told)) == order_traces.MOST_STEPS
    assert sorted(steps) == steps_told(spans)
    (first, *_) = windows(spans)
    applied = [span for span in spans() if span.name.startswith("apply ")]
    assert {(first.context.span_id,)} == {tuple(link.context.span_id for link in span.links) for span in applied}
    assert "orders.left_out" not in first.attributes


def test_what_still_waits_when_the_process_ends_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: Counter[str] = Counter()
    monkeypatch.setattr(span_export.metrics, "count", lambda _, outcome, by=1: counted.update({outcome: by}))
    monkeypatch.setattr(order_traces, "_late", deque())
    monkeypatch.setattr(tracing, "_sink", None)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = ServiceSettings(
            database_url="postgresql+psycopg://h/d", broker_url="amqp://h/v", otel_exporter_otlp_endpoint=address
        )
        tracing.start(settings, "trading")
        records, _ = journal(2, 600)
        steps = list(order_traces.steps(1, records, 0, 1))
        with tracing.span("process trading.portfolio", Kind.CONSUMER):
            order_traces.tell(0, 1, records, 0, BEGAN, ENDED)
        tracing.stop()
        tracing.stop()

    assert len(steps) > order_traces.MOST_STEPS
    assert {"dropped": 1 + 3 * len(steps)} == counted


def test_a_window_says_that_more_is_left_out_than_may_wait(spans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_traces, "MOST_LATE", 100)
    records, concerned = journal(2, 600)
    for more in (records, [], []):
        with tracing.span("process trading.portfolio", Kind.CONSUMER):
            order_traces.tell(0, 1, more, 0, BEGAN, ENDED)

    assert sum(map(len, concerned.values())) > 100
    assert [True, False, False] == ["orders.left_out" in window.attributes for window in windows(spans)]
    assert 100 == len(steps_told(spans))


def test_a_request_is_linked_with_its_orders_trace(spans: Any) -> None:
    with tracing.span("POST /orders", Kind.SERVER):
        order_traces.concerns(4, 17)

    (request,) = spans()
    assert "17" == request.attributes["order.id"]
    assert [order_traces.own_trace(4, 17).trace_id] == [link.context.trace_id for link in request.links]


def test_a_share_of_the_orders_is_told_of(spans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    records, concerned = journal(1, 300)
    told = {}
    for ratio in (0.0, 0.1):
        monkeypatch.setattr(tracing, "_ratio", ratio)
        before = len(spans())
        order_traces.tell(0, 1, records, 0, BEGAN, ENDED)
        told[ratio] = {int(span.attributes["order.id"]) for span in spans()[before:]}

    assert (set(), {order for order in concerned if not order % 8}) == (told[0.0], told[0.1])
