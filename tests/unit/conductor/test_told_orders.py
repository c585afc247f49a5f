"""What judges the traces of orders sees what is wrong with them."""

import uuid
from typing import Any

import pytest

from conductor.harness.traces import Span
from told_orders import own_trace, shape, stories, traces_apart, unexplained
from told_spans import against_registry, compared, entry_of_order, linked_and_lost

ORDER = str(uuid.UUID(int=7))
OWN = own_trace(ORDER)


def span(id: str, name: str, began: float = 0.0, seconds: float = 1.0, *, trace: str = OWN, **told: Any) -> Span:
    about = {"order.id": ORDER, **told.pop("attributes", {})}
    return Span(**{
        "trace": trace, "id": id, "parent": "", "name": name, "pool": "api", "began": began, "seconds": seconds, "failed": False,
        "attributes": about, **told,
    })  # fmt: skip


def request(id: str = "r", **told: Any) -> Span:
    asked = {"http.request.method": "POST", "http.response.status_code": "201", **told.pop("attributes", {})}
    return span(id, "POST /orders", **{"kind": 2, **told, "attributes": asked})


def test_time_between_two_spans_is_unexplained() -> None:
    story = [span("a", "POST /orders"), span("b", "process orders.buy_label", 2.0)]

    assert 1 / 3 == pytest.approx(unexplained(story))


def test_spans_that_overlap_count_once() -> None:
    story = [
        span("a", "POST /orders"),
        span("b", "wait orders.buy_label", 0.5),
        span("c", "process orders.buy_label", 2.0),
    ]

    assert 0.5 / 3 == pytest.approx(unexplained(story))


def test_the_pause_before_the_next_attempt_is_explained() -> None:
    asked = {"retry.after_seconds": "2.0"}
    story = [span("a", "process orders.buy_label", attributes=asked), span("b", "wait orders.buy_label", 3.0)]

    assert 0.0 == unexplained(story)


def test_the_parcels_way_is_no_time_of_the_order() -> None:
    handed = span("a", "process orders.hand_over", attributes={"outcome": "done"})
    news = [span("b", "POST /callbacks/carrier", 5.0), span("c", "POST /callbacks/carrier", 9.0)]

    assert 0.0 == unexplained([handed, *news])
    assert 1 / 5 == pytest.approx(unexplained([handed, *news, span("d", "wait orders.send_mail", 11.0)]))


def test_a_call_belongs_to_the_order_of_the_attempt_that_made_it() -> None:
    attempt = span("a", "process orders.buy_label")
    call = Span(OWN, "b", "a", "POST /shipments", "fulfilment", 0.0, 1.0, False, {})
    other = Span("t", "b", "x", "POST /shipments", "fulfilment", 0.0, 1.0, False, {})

    assert {ORDER: [attempt, call]} == stories([attempt, call, other])


def test_a_trace_is_apart_unless_links_lead_to_the_orders_own() -> None:
    near = span("a", "wait orders.buy_label", trace="t1", links=[(OWN, "r")])
    far = span("b", "wait orders.buy_label", trace="t2", links=[("t1", "a")])
    apart = span("c", "wait orders.buy_label", trace="t3", links=[("t9", "a")])

    assert {"t3"} == traces_apart(ORDER, [near, far, apart])


def test_what_follows_a_long_wait_counts_as_if_it_lay_where_it_would_without() -> None:
    def wait(seconds: float, **told: Any) -> Span:
        return span("w", "wait orders.buy_label", 1.0, seconds, **told)

    short = [request(), wait(2.0, parent="r"), span("p", "process orders.buy_label", 3.0, parent="r")]
    long = [request(), wait(21.0, trace="t2"), span("p", "process orders.buy_label", 22.0, trace="t2", parent="w")]
    lost = [request(), wait(2.0, trace="t2"), span("p", "process orders.buy_label", 3.0, parent="r")]

    assert shape(short) == shape(long)
    assert shape(short) != shape(lost)


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({}, None),
        ({"parent": "gone"}, "parent orphan"),
        ({"links": [("t", "gone")]}, "links ['lost']"),
        ({"kind": 3}, "kind"),
        ({"failed": True}, "error"),
        ({"attributes": {"card": "1"}}, "attributes"),
        ({"events": [("odd", 0.0, {})]}, "events"),
    ],
)
def test_the_rule_that_a_span_breaks_is_named(told: dict[str, Any], rule: str | None) -> None:
    broken = [one for rules, _, _ in against_registry([request(**told)], lambda _: "request") for one in rules]

    assert ([] if rule is None else [rule]) == broken


def test_a_span_is_taken_for_what_its_kind_says() -> None:
    assert "request" == entry_of_order(request())


def test_what_was_compared_is_told_with_what_differs() -> None:
    call = span("b", "POST /shipments", parent="gone", kind=3, links=[("t", "x")])
    spans = [request(), call]
    wrong = against_registry(spans, entry_of_order)

    assert "2 spans of 1 traces, 1 parents and 1 links: 1 differ, 1 orphans" == compared(spans, wrong)


def test_what_is_linked_and_not_there_is_lost() -> None:
    call = span("b", "POST /shipments", parent="gone", kind=3, links=[("t", "x"), (request().trace, request().id)])

    assert {("t", "x")} == linked_and_lost([request(), call])
