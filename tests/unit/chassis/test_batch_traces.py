"""A request, the batch that carries it and the window that applies it are three traces, which are linked."""

from types import SimpleNamespace
from typing import Any

import pytest

from chassis import batch_traces, tracing
from chassis.errors import Transient
from chassis.tracing import Kind
from fakes.recorded_spans import recorded_spans


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tracing into memory."""
    return recorded_spans(monkeypatch)


def requested() -> tracing.Span:
    """A request that is being answered."""
    span = tracing.begin("POST /events", Kind.SERVER)
    assert span is not None
    return span


def published(*requests: tracing.Span) -> Any:
    """The message of a batch that carries what these requests sent."""
    sent = batch_traces.publishing("rabbitmq", "shop.count", "b-1", requests)
    if sent is not None:
        sent.end()
    return SimpleNamespace(headers={"id": "b-1", **batch_traces.headers(sent)})


def linked(span: Any) -> set[int]:
    return {link.context.span_id for link in span.links}


def test_requests_their_batch_and_the_window_that_applies_it_are_linked(spans: Any) -> None:
    requests = requested(), requested()
    messages = [published(*requests), published(requests[0])]
    with batch_traces.flushing("rabbitmq", "shop.count", messages):
        pass
    for request in requests:
        request.end()

    by_id = {span.context.span_id: span for span in spans()}
    first, second = (by_id[request.context.span_id] for request in requests)
    sends = {one for one, span in by_id.items() if span.name == "send shop.count"}
    (flush,) = [span for span in by_id.values() if span.name == "process shop.count"]
    assert (linked(first), len(sends)) == (sends, 2)
    assert linked(second) < sends
    assert linked(flush) == sends
    assert {first.context.span_id, second.context.span_id} in [linked(by_id[send]) for send in sends]
    assert 2 == flush.attributes["messaging.batch.message_count"]
    assert 5 == len({span.context.trace_id for span in by_id.values()})


def test_a_request_that_was_refused_after_all_stays_linked_with_the_batch_that_carries_it(spans: Any) -> None:
    request = requested()
    published(request)
    request.disown()
    request.end()

    by_name = {span.name: span for span in spans()}
    asked, sent = by_name["POST /events"], by_name["send shop.count"]
    assert [(asked.context.trace_id, asked.context.span_id)] == [
        (link.context.trace_id, link.context.span_id) for link in sent.links
    ]
    assert linked(asked) == {sent.context.span_id}


def test_a_batch_of_requests_that_nobody_records_has_no_span(spans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_ratio", 0.0)
    message = published(requested())
    with batch_traces.flushing("rabbitmq", "shop.count", [message, SimpleNamespace(headers=None)]):
        pass

    assert {"id": "b-1"} == message.headers
    assert () == spans()


def test_a_batch_is_linked_with_its_recorded_requests_however_many_others_it_carries(
    spans: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "_ratio", 0.0)
    others = [requested() for _ in range(tracing.MOST_LINKS)]
    monkeypatch.setattr(tracing, "_ratio", 1.0)
    recorded = requested()
    published(*others, recorded)

    (send,) = spans()
    assert {recorded.context.span_id} == linked(send)
    assert {(send.context.span_id,)} == {
        tuple(context.span_id for context, _ in request.links) for request in (*others, recorded)
    }


def test_a_window_that_fails_is_recorded_in_any_case(spans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_ratio", 0.0)
    with (
        pytest.raises(Transient),
        batch_traces.flushing("rabbitmq", "shop.count", [SimpleNamespace(headers={"traceparent": 7})]),
    ):
        raise Transient("the store is away")

    (flush,) = spans()
    assert ("Transient", "ERROR") == (flush.attributes["error.type"], flush.status.status_code.name)


def test_without_a_collector_nothing_is_made() -> None:
    assert batch_traces.publishing("rabbitmq", "shop.count", "b-1", ()) is None
    with batch_traces.flushing("rabbitmq", "shop.count", [object()]):
        assert tracing.current() is None
