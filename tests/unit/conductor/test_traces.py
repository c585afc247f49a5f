"""A waterfall out of what Jaeger and Tempo tell."""

from typing import Any

from conductor.harness import traces
from conductor.harness.trace_page import page
from conductor.harness.trace_screen import bar
from conductor.harness.traces import Span
from conductor.harness.waterfall import Line, note, waterfall


def span(id: str, parent: str = "", began: float = 0.0, *, trace_id: str = "t", order: str | None = "o-1") -> Span:
    told = {} if order is None else {"order.id": order}
    return Span(trace_id, id, parent, id, "saga", began, 0.5, False, told)


def jaeger(**told: Any) -> dict[str, Any]:
    own = {
        "traceID": "t",
        "spanID": "s",
        "operationName": "orders.charge",
        "startTime": 1_500_000,
        "duration": 250_000,
        "processID": "p1",
        "references": [],
        "tags": [{"key": "order.id", "value": "o-1"}],
    }
    processes = {"p1": {"tags": [{"key": "pool", "value": "payments"}]}}
    return {"traceID": "t", "spans": [{**own, **told}], "processes": processes}


def test_a_span_lies_under_its_parent() -> None:
    lines = waterfall([span("child", "root", 1.0), span("root")], "order.id", "o-1")

    assert [("root", 0), ("child", 1)] == [(line.span.id, line.depth) for line in lines]


def test_offsets_count_from_the_first_span() -> None:
    lines = waterfall([span("root", began=100.0), span("child", "root", 101.5)], "order.id", "o-1")

    assert [0.0, 1.5] == [line.offset for line in lines]


def test_what_was_done_for_another_order_of_the_batch_is_left_out() -> None:
    lines = waterfall([span("mine"), span("theirs", order="o-2"), span("task", order=None)], "order.id", "o-1")

    assert {"mine", "task"} == {line.span.id for line in lines}


def test_a_span_whose_parent_is_not_there_stands_by_itself() -> None:
    assert [0] == [line.depth for line in waterfall([span("late", "lost")], "order.id", "o-1")]


def test_traces_follow_each_other_by_their_beginnings() -> None:
    lines = waterfall([span("b", began=5.0, trace_id="u"), span("a", began=1.0)], "order.id", "o-1")

    assert ["a", "b"] == [line.span.id for line in lines]


def test_no_spans_make_no_lines() -> None:
    assert [] == waterfall([], "order.id", "o-1")


def test_jaegers_microseconds_become_seconds() -> None:
    (found,) = traces.of_jaeger(jaeger())

    assert (1.5, 0.25, "payments") == (found.began, found.seconds, found.pool)


def test_a_span_that_jaeger_calls_an_error_has_failed() -> None:
    tags = [{"key": "otel.status_code", "value": "ERROR"}]
    (found,) = traces.of_jaeger(jaeger(tags=tags))

    assert found.failed


def test_what_jaeger_adds_of_its_own_is_no_attribute() -> None:
    told = {
        "tags": [{"key": key, "value": key} for key in ("attempt", "error.type", "otel.scope.name", "error")]
        + [{"key": "span.kind", "value": "consumer"}],
        "logs": [
            {"timestamp": 2_500_000, "fields": [{"key": "event", "value": "published"}, {"key": "n", "value": 1}]}
        ],
    }
    (found,) = traces.of_jaeger(jaeger(**told))

    assert {"attempt": "attempt", "error.type": "error.type"} == found.attributes
    assert (5, [("published", 2.5, {"n": "1"})]) == (found.kind, found.events)


def test_tempos_nanoseconds_become_seconds() -> None:
    spans = [
        {
            "spanId": "s",
            "name": "n",
            "kind": "SPAN_KIND_SERVER",
            "startTimeUnixNano": "1500000000",
            "endTimeUnixNano": "1750000000",
            "status": {},
            "events": [{"name": "published", "timeUnixNano": "1600000000"}],
        }
    ]
    resource = {"attributes": [{"key": "pool", "value": {"stringValue": "saga"}}]}
    (found,) = traces.of_tempo("t", {"batches": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})

    assert (1.5, 0.25, "saga", False, 2) == (found.began, found.seconds, found.pool, found.failed, found.kind)
    assert [("published", 1.6, {})] == found.events


def test_a_bar_begins_where_its_span_began_and_is_never_nothing() -> None:
    short = Span("t", "s", "", "n", "p", 0, 0.0, False, {})

    assert "     ━" == bar(Line(short, 0, 5.0), 10.0, width=10)


def test_messages_are_left_out_unless_asked_for() -> None:
    spans = [span("POST /orders"), span("send orders.payments", order=None, trace_id="m")]

    assert [1, 2] == [len(waterfall(spans, "order.id", "o-1", messages=messages)) for messages in (False, True)]


def test_a_note_says_what_is_not_as_usual() -> None:
    def told(failed: bool = False, events: Any = (), **attributes: str) -> str:
        named = {name.replace("__", "."): value for name, value in attributes.items()}
        return note(Span("t", "s", "", "n", "p", 1.0, 0.5, failed, named, events))

    assert "" == told(attempt="1", outcome="done")
    assert "attempt 2, retry, carrier answered 500" == told(
        True, attempt="2", outcome="retry", status="carrier answered 500"
    )
    assert "refused" == told(order__result="refused")
    assert "published after 0.250 s" == told(events=[("published", 1.25, {})])
    assert "503, ReadTimeout" == told(True, http__response__status_code="503", error__type="ReadTimeout")


def test_a_page_shows_every_span_and_takes_nothing_for_markup() -> None:
    lines = waterfall([span("<script>"), span("wait x", "<script>", 1.0)], "order.id", "o-1")

    written = page(lines, "o-1")

    assert (2, False) == (written.count("<tr class"), "<script>" in written)
    assert "1.50 s, 2 spans in 1 traces, 0 of them failed" in written
