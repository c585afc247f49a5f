"""The gate as a law: whatever the headers of a message hold, either they have a fault or Celery itself can work with what was judged."""

import json
import math
import pickle
from collections.abc import Mapping
from typing import Any

import pytest
from celery.worker.request import Request
from hypothesis import given, settings
from hypothesis import strategies as st
from kombu.message import Message

from chassis import envelope, message_checks, sizes
from chassis.app import make_app
from chassis.settings import ServiceSettings

app = make_app(
    "shop",
    ("shop.till",),
    ServiceSettings(broker_url="amqp://localhost", database_url="postgresql+psycopg://localhost/x"),
)


@app.task(name="shop.note")
def note(text: Any = "") -> None: ...


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**400), max_value=10**400)
    | st.floats()
    | st.text(st.characters(), max_size=300)
    | st.sampled_from(
        ["ab", "abc", "\ud800", "\x00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00"]
    )
    | st.binary(max_size=10)
)
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3), max_leaves=8
)
known = st.sampled_from(
    sorted([*envelope._HEADERS, "callbacks", "args", "headers", "is_eager", "hostname", "traceparent", "__class__"])
)
odd_headers = st.dictionaries(known | st.text(st.characters(), max_size=10), values, max_size=4)
USUAL = {"task": "shop.note", "id": "i-1", "lang": "py", "timelimit": [None, None]}


def message(headers: Any, body: str = "[[], {}, {}]", **properties: Any) -> Message:
    return Message(
        body, headers=headers, content_type="application/json", content_encoding="utf-8", accept={"application/json"},
        properties=properties, delivery_info={"exchange": "", "routing_key": "shop.till"},
    )  # fmt: skip


def as_celery_would(arrived: Message) -> Request:
    """What a worker does with a message up to the pipe of a child, and what its heartbeat asks of it."""
    request = Request(arrived, app=app, task=note)
    request.revoked()
    request.stamps, request.groups, request.info()
    hard, soft = request.time_limits
    assert all(limit is None or 0 < limit <= 20 for limit in (hard, soft))
    pickle.dumps((request.type, request.id, request.request_dict, request.body, request.content_type))
    assert hash(request.id)
    return request


@settings(max_examples=300)
@given(odd_headers, st.dictionaries(st.sampled_from(["priority", "reply_to", "correlation_id"]), values, max_size=1))
def test_headers_have_a_fault_or_celery_can_work_with_them(odd: Mapping[Any, Any], properties: dict[str, Any]) -> None:
    arrived = message({**USUAL, **odd}, **properties)

    found = message_checks.fault(arrived, app.tasks)

    if found is None:
        arrived.headers = envelope.judged(arrived.headers, (20, 10))
        arrived.properties = envelope.judged_properties(arrived.properties)
        as_celery_would(arrived)
    else:
        assert found.detail.isascii()
        assert found.detail.isprintable()
        assert len(found.detail) < 1000


@given(values)
def test_a_body_of_any_arguments_has_a_fault_or_can_be_run(argument: Any) -> None:
    try:
        body = json.dumps([[], {"text": argument}, {}])
    except (TypeError, ValueError):  # bytes, and numbers that JSON's own writer refuses
        return
    arrived = message(dict(USUAL), body)

    assert message_checks.fault(arrived, app.tasks) is None
    as_celery_would(arrived)


def test_what_celery_sends_has_no_fault() -> None:
    for options in ({}, {"expires": 60}, {"time_limit": 5, "soft_time_limit": 3}, {"priority": 3}, {"shadow": "other"}):
        sent = app.amqp.as_task_v2("i", "shop.note", (), {}, **{k: v for k, v in options.items() if k != "priority"})
        body = json.dumps([list(sent.body[0]), *sent.body[1:]])
        arrived = message(json.loads(json.dumps(sent.headers)), body, **sent.properties)

        assert message_checks.fault(arrived, app.tasks) is None


def test_a_message_cannot_make_the_workers_own_limits_longer() -> None:
    assert [20, 10] == envelope.judged({**USUAL, "timelimit": [1e9, 1e9]}, (20, 10))["timelimit"]
    assert [5, None] == envelope.judged({**USUAL, "timelimit": [5, None]}, (20, 10))["timelimit"]


def test_a_plain_header_of_a_sender_of_ours_is_handed_on() -> None:
    judged = envelope.judged(
        {**USUAL, "traceparent": "00-1-2-01", "tenant": "x", "parts": [1], "x-death": "y"}, (20, 10)
    )

    assert ("00-1-2-01", "x") == (judged["traceparent"], judged["tenant"])
    assert not {"parts", "x-death"} & set(judged)


def test_a_trace_of_another_type_is_left_out_and_the_task_runs() -> None:
    headers = {**USUAL, "traceparent": 7, "tracestate": {}}

    assert message_checks.fault(message(headers), app.tasks) is None
    assert not {"traceparent", "tracestate"} & set(envelope.judged(headers, (20, 10)))


@pytest.mark.parametrize(
    "options", [{"chain": [{}]}, {"callbacks": 7}, {"hostname": None}, {"chord": {"a": 1}}], ids=str
)
def test_what_would_follow_a_task_is_a_fault_of_the_message_alone(options: dict[str, Any]) -> None:
    found = message_checks.fault(message(dict(USUAL), json.dumps([[], {}, options])), app.tasks)

    assert found is not None
    assert found.message_only
    assert next(iter(options)) in found.detail


def test_a_body_is_judged_by_its_size_before_it_is_decoded() -> None:
    found = message_checks.fault(message(dict(USUAL), "{" * (sizes.MAX_BODY_BYTES + 1)), app.tasks)

    assert f"body has {sizes.MAX_BODY_BYTES + 1} bytes, at most {sizes.MAX_BODY_BYTES} are run" == found.detail  # type: ignore[union-attr]


def test_a_value_is_too_much_by_weight_or_by_depth() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]

    assert sizes.too_much(deep, 10**9) == f"nested deeper than {sizes.MAX_DEPTH}"
    assert sizes.too_much({"a": ["x" * 10]}, 10) == "larger than 10"
    assert sizes.too_much(2**1000, 10) == "larger than 10"
    assert sizes.too_much({"a": ["x" * 10, math.nan, None, b"x"]}, 100) is None


def test_any_value_is_told_in_printable_ascii() -> None:
    class Silent:
        def __repr__(self) -> str:
            raise RuntimeError

    for value in ("\ud800\x00\n", 10**10_000, Silent(), {"é": ["x" * 10_000]}):
        assert envelope.told(value).isascii()
        assert envelope.told(value).isprintable()
        assert len(envelope.told(value)) <= 200
