"""Whatever arrives from a broker is run or kept: nothing that a message holds ends a worker, takes a place of its pool or stops its
heartbeat. On both brokers, with real workers.
"""

import json
import struct
import uuid
from typing import Any

import amqp
import pytest
from kombu import Connection

from chassis.dead_letters import collect_dead_letters
from chassis.declare import declare_app
from servers import wait_until

NAMES = (
    "timelimit", "eta", "expires", "retries", "id", "task", "root_id", "parent_id", "group", "group_index", "lang", "origin", "shadow",
    "argsrepr", "kwargsrepr", "stamps", "stamped_headers", "ignore_result", "replaced_task_nesting", "compression", "traceparent",
    "tracestate", "callbacks", "chain", "hostname", "delivery_info", "args", "is_eager", "utc", "redelivered", "x-death", "clock",
)  # fmt: skip

GOOD_BODY = json.dumps([[], {}, {}])

BODIES = {
    "NaN": "[[], {\"text\": NaN}, {}]",
    "a number without end": "[[], {\"text\": 1e999}, {}]",
    "a number of thousands of digits": '[[], {"text": ' + "9" * 4000 + "}, {}]",
    "a lone surrogate in an argument that nobody takes": '[[], {"colour": "\\ud800"}, {}]',
    "nested deeper than a decoder goes": "[" * 100_000 + "]" * 100_000,
    "nested deep in an argument": '[[], {"text": ' + "[" * 400 + "]" * 400 + "}, {}]",
    "200,000 ids": json.dumps([[], {"v": 1, "ids": list(range(200_000))}, {}]),
    "200,000 short ids": json.dumps([[], {"v": 1, "ids": [7] * 200_000}, {}]),
    "more than ten megabytes": json.dumps([[], {"text": "x" * 12_000_000}, {}]),  # RabbitMQ 4 takes 16 MiB at most
    "millions of values": "[[], {\"text\": [" + "{}," * 400_000 + "{}]}, {}]",
    "callbacks": json.dumps([[], {}, {"callbacks": [{"task": "shop.note"}]}]),
    "callbacks that are a number": json.dumps([[], {}, {"callbacks": 7}]),
    "errbacks": json.dumps([[], {}, {"errbacks": "x"}]),
    "a chain": json.dumps([[], {}, {"chain": [{}]}]),
    "a chord": json.dumps([[], {}, {"chord": {"task": 7}}]),
    "an option that is the id": json.dumps([[], {}, {"id": None, "hostname": 7}]),
    "a type that kombu knows": '[[], {"text": {"__type__": "datetime", "__value__": 7}}, {}]',
    "a type that nobody knows": '[[], {"text": {"__type__": [], "__value__": 7}}, {}]',
}  # fmt: skip

VALUES: tuple[Any, ...] = (
    "ab", "abc", 7, -1, 1.5, True, [], {}, [1], ["a", "b"], {"a": 1}, [{}, {}], [None], "\x00", "a\x00b", 2**40, "x" * 20_000, [[[[]]]],
)  # fmt: skip


def headers_of(shop_id: str | None = None, **changed: Any) -> dict[str, Any]:
    usual = {"lang": "py", "task": "shop.note", "timelimit": [None, None], "retries": 0, "argsrepr": "()"}
    return {**usual, "id": shop_id or str(uuid.uuid4()), **changed}


def send(shop: Any, body: str | bytes = GOOD_BODY, *, headers: Any = None, **properties: Any) -> None:
    """Into the queue past every guard."""
    send_all(shop, [(body, headers_of() if headers is None else headers, properties)])


def send_all(shop: Any, messages: Any) -> None:
    with Connection(shop.broker_url, transport_options={"confirm_publish": True}) as connection:
        producer = connection.Producer(auto_declare=False)
        for body, headers, properties in messages:
            usual = {"content_type": "application/json", "content_encoding": "utf-8"}
            producer.publish(body, exchange="", routing_key="shop.till", headers=headers, **{**usual, **properties})


def goes_on(shop: Any, runs: int = 2) -> None:
    """The worker takes the next tasks, as many at once as its pool has places, and is as well as before."""
    before = len(shop.acts())
    for _ in range(runs):
        shop.send("shop.nap", seconds=0.5)
    wait_until(
        lambda: shop.acts()[before:].count("begin") == runs, what=f"the next tasks\n{shop.log()[-3000:]}", seconds=20
    )
    wait_until(lambda: shop.acts()[before:].count("end") == runs, what="their ends", seconds=20)
    wait_until(lambda: shop.state() == "idle", what="an idle worker", seconds=20)
    assert shop.processes[0].poll() is None
    assert shop.probe("live")[0] == shop.probe("ready")[0] == 0
    assert "Unrecoverable" not in shop.log()
    assert "Traceback" not in shop.log()
    ticked = shop.record()["ticked"]
    wait_until(lambda: shop.record()["ticked"] > ticked, what="a heartbeat", seconds=5)
    assert collect_dead_letters(shop.app()) == 0


def settled(shop: Any, count: int, seconds: float = 20) -> None:
    """All of `count` messages were run, or parked as malformed."""

    def so_far() -> int:
        return len(shop.acts()) + len(shop.parked())

    wait_until(lambda: so_far() >= count, what=f"{count} messages to be run or parked", seconds=seconds)
    assert count == so_far(), shop.log()[-3000:]
    assert {"malformed"} >= {reason for reason, _ in shop.parked()}


def test_values_of_every_header_are_run_or_parked(open_shop: Any) -> None:
    # A third of the values each: all of both are in the unit tests of the gate.
    values = [(name, value) for number, name in enumerate(NAMES) for value in VALUES[number % 3 :: 3]]
    send_all(open_shop, [(GOOD_BODY, headers_of(**{name: value}), {}) for name, value in values])

    settled(open_shop, len(values), seconds=120)
    goes_on(open_shop)


@pytest.mark.parametrize(
    "header",
    [
        {"timelimit": "ab"},
        {"timelimit": "abc"},
        {"timelimit": [7, -1]},
        {"id": {"a": 1}},
        {"eta": "2999-01-01T00:00:00"},
        {"expires": "0001-01-01T00:00:00+23:59"},
        {"retries": "x"},
        {"shadow": ["x"]},
        {"hostname": "x"},
        {"compression": "gzip"},
    ],
    ids=str,
)
def test_a_header_that_celery_would_trip_over_is_named(open_shop: Any, header: dict[str, Any]) -> None:
    send(open_shop, headers=headers_of(**header))
    wait_until(lambda: bool(open_shop.parked()), what="a parked message")

    (row,) = open_shop.rows("SELECT headers, detail FROM parked")
    assert next(iter(header)) in row.detail or "compressed" in row.detail


def test_every_body_is_run_or_parked(open_shop: Any) -> None:
    for body in BODIES.values():
        send(open_shop, body)

    settled(open_shop, len(BODIES))
    goes_on(open_shop)


def test_properties_of_any_type_are_run_or_parked(open_shop: Any) -> None:
    rabbitmq = open_shop.broker_url.startswith("amqp")
    odd: list[dict[str, Any]] = [
        {"content_type": "text/plain"},
        {"content_type": "application/x-yaml"},
        {"content_type": "x" * 200},
        {"content_encoding": "punycode"},
        {"content_encoding": "zlib_codec"},
        {"correlation_id": "\x00"},
        {"reply_to": "\x00"},
    ]
    if rabbitmq:
        odd.append({"priority": 255})
    else:
        names = ("correlation_id", "reply_to", "content_type", "content_encoding")
        odd += [{name: value} for name in names for value in ({"a": 1}, [1], 7, "x" * 300_000)]
    body = GOOD_BODY.encode() + b" " * 200_000
    send_all(open_shop, [(body, headers_of(), properties) for properties in odd])

    settled(open_shop, len(odd))
    goes_on(open_shop)


class Raw(amqp.Message):
    """A message whose properties are bytes."""

    def __init__(self, properties: bytes) -> None:
        super().__init__(GOOD_BODY)
        self.bytes = properties

    def _serialize_properties(self) -> bytes:
        return self.bytes


def table(*items: bytes) -> bytes:
    inside = b"".join(items)
    return struct.pack(">HI", 0x2000, len(inside)) + inside


def nested(depth: int) -> bytes:
    inside = b""
    for _ in range(depth):
        inside = b"A" + struct.pack(">I", len(inside)) + inside
    return inside


RAW_PROPERTIES = {
    "a content type that is no text": struct.pack(">H", 0x8000) + b"\x02\xff\xfe",
    "a correlation id that is no text": struct.pack(">H", 0x0400) + b"\x02\xff\xfe",
    "a time beyond all times": table(b"\x01aT" + b"\x7f" * 8),
    "a header name that is no text": table(b"\x01\xffV"),
    "lists within each other": table(b"\x01a" + nested(2_000)),
    "bytes": table(b"\x01ax" + struct.pack(">I", 3) + b"\x00\xff\x00"),
    "an id that is bytes": table(b"\x02idx" + struct.pack(">I", 3) + b"\x00\xff\x00", b"\x04taskS" + struct.pack(">I", 9) + b"shop.note"),
    "a decimal": table(b"\x01aD\xff" + struct.pack(">i", 1)),
}  # fmt: skip


def test_properties_that_py_amqp_cannot_read_are_parked(shop_on: Any, rabbitmq_url: str) -> None:
    shop = shop_on(rabbitmq_url)
    shop.worker(concurrency=2)

    with Connection(shop.broker_url, transport_options={"confirm_publish": True}) as connection:
        for properties in RAW_PROPERTIES.values():
            connection.default_channel.basic_publish(Raw(properties), exchange="", routing_key="shop.till")

    settled(shop, len(RAW_PROPERTIES))
    goes_on(shop)


def entry(body: Any = GOOD_BODY, **changed: Any) -> dict[str, Any]:
    """A message as kombu writes it into a list."""
    delivery = {"exchange": "", "routing_key": "shop.till"}
    properties = {
        "delivery_tag": str(uuid.uuid4()),
        "delivery_info": delivery,
        "priority": 0,
        **changed.pop("properties", {}),
    }
    return {"body": body, "headers": headers_of(), "content-type": "application/json", "content-encoding": "utf-8",
            "properties": properties, **changed}  # fmt: skip


ODD_ENTRIES = {
    "no headers": entry(headers=None),
    "headers that are a list": entry(headers=[1]),
    "headers nested too deep": entry(headers=json.loads('{"id": ' + "[" * 300 + "]" * 300 + "}")),
    "megabytes of headers": entry(headers=headers_of(text="x" * 3_000_000)),
    "no route": entry(properties={"delivery_info": {}}),
    "the route of another queue": entry(properties={"delivery_info": {"exchange": "other", "routing_key": {"a": 1}}}),
    "a tag that cannot be written": entry(properties={"delivery_tag": "\ud800"}),
    "one tag": entry(properties={"delivery_tag": "same"}),
    "the same tag": entry(properties={"delivery_tag": "same"}),
    "a priority beyond all": entry(properties={"priority": float("inf")}),
    "a priority that is no number": entry(properties={"priority": {"a": 1}}),
    "properties nested too deep": entry(properties={"x": json.loads("[" * 300 + "]" * 300)}),
    "no body": entry(body=None),
    "a body that is empty": entry(body=""),
}


def test_entries_that_kombu_would_trip_over_are_run_or_parked(shop_on: Any, redis_url: str) -> None:
    import redis

    shop = shop_on(redis_url)
    shop.worker(concurrency=2)

    with redis.Redis.from_url(redis_url) as client:
        for odd in ODD_ENTRIES.values():
            client.lpush("shop.till", json.dumps(odd))
        settled(shop, len(ODD_ENTRIES))
        goes_on(shop)

        assert [] == [key for key in client.keys("*") if b"unacked" in key or b"shop" in key]


def test_an_entry_of_too_many_values_is_put_aside_undecoded(shop_on: Any, redis_url: str) -> None:
    import redis

    shop = shop_on(redis_url)
    shop.worker(pool="solo")

    with redis.Redis.from_url(redis_url) as client:
        client.lpush("shop.till", b"[" + b"{}," * 3_000_000 + b"{}]")
        shop.send("shop.note")
        wait_until(lambda: shop.acts() == ["note"], what="the next task")

    assert collect_dead_letters(shop.app()) == 1
    (row,) = shop.rows("SELECT body FROM parked")
    assert 9_000_004 == row.body["bytes"]


@pytest.mark.parametrize("death", [7, "x", [], [7], [{"reason": {"a": 1}}], {"a": 1}], ids=str)
def test_a_dead_letter_whose_death_is_told_otherwise_is_parked(rabbit_shop: Any, death: Any) -> None:
    app = rabbit_shop.app()
    declare_app(app)
    with Connection(rabbit_shop.broker_url) as connection:
        connection.Producer().publish(GOOD_BODY, routing_key="shop.till.dead", headers=headers_of(**{"x-death": death}))

    wait_until(lambda: collect_dead_letters(app) == 1, what="the dead letter")
    assert [("dead_letter", "shop.note")] == rabbit_shop.parked()
