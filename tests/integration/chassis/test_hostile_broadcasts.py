"""Remote control that no worker should obey: it ends no worker, changes no limit, and the commands that are meant go on working."""

import json
from typing import Any

from kombu import Connection, Exchange

from servers import wait_until

ANSWERS = {"exchange": "reply.celery.pidbox", "routing_key": "nobody"}

BODIES: dict[str, Any] = {
    "a number": 7,
    "nothing": None,
    "a list": [],
    "no method": {},
    "a method that is an object": {"method": {"a": 1}},
    "a method that nobody knows": {"method": "explode"},
    "a method of Python's": {"method": "__class__", "arguments": {"self": 1}},
    "arguments that are a list": {"method": "ping", "arguments": [1]},
    "shutdown": {"method": "shutdown"},
    "thousands of processes": {"method": "pool_grow", "arguments": {"n": 10_000}},
    "no process": {"method": "pool_shrink", "arguments": {"n": 10}},
    "time limits that are none": {"method": "time_limit", "arguments": {"task_name": "shop.note", "soft": "x", "hard": {}}},
    "a rate of nearly nothing": {"method": "rate_limit", "arguments": {"task_name": "shop.note", "rate_limit": "1/h"}},
    "revoked ids of every type": {"method": "revoke", "arguments": {"task_id": [7, "x", None], "terminate": True}},
    "a queue of somebody else": {"method": "add_consumer", "arguments": {"queue": "other.queue"}},
    "a queue that is no text": {"method": "cancel_consumer", "arguments": {"queue": {"a": 1}}},
    "a destination that is a number": {"method": "ping", "destination": 7},
    "a pattern that takes hours": {"method": "ping", "pattern": "(s+)+$", "matcher": "pcre"},
    "an answer to a task queue": {"method": "ping", "reply_to": {"exchange": "", "routing_key": "shop.till"}, "ticket": "t"},
    "an answer to nowhere": {"method": "ping", "reply_to": 7},
    "an answer to an exchange of another type": {
        "method": "ping", "reply_to": {"exchange": "celery.pidbox", "routing_key": "x"}, "ticket": "t"
    },
    "a ticket that is an object": {"method": "ping", "reply_to": ANSWERS, "ticket": {"a": [1]}},
    "megabytes": {"method": "ping", "arguments": {"text": "x" * 3_000_000}},
    "revoked tasks of another worker": {"method": "hello", "arguments": {"from_node": "x", "revoked": [7]}},
}  # fmt: skip

HEADERS: tuple[dict[str, Any], ...] = (
    {"clock": "soon"}, {"clock": {}}, {"clock": 2**62}, {"clock": -1}, {"expires": "x"}, {"compression": "gzip"},
)  # fmt: skip


def broadcast(shop: Any, body: Any, *, headers: Any = None, **properties: Any) -> None:
    """To every worker, past every guard."""
    usual = {"content_type": "application/json", "content_encoding": "utf-8"}
    with Connection(shop.broker_url) as connection:
        exchange = Exchange("celery.pidbox", type="fanout", durable=False)
        producer = connection.Producer(exchange=exchange)
        text = body if isinstance(body, bytes) else json.dumps(body)
        producer.publish(text, headers=headers or {}, **{**usual, **properties})


def obeys(shop: Any) -> None:
    """The worker answers, runs tasks in all its places, and has the limits that it began with."""
    wait_until(lambda: shop.state() == "idle", what="an idle worker")
    with shop.app() as app:
        control = app.control
        wait_until(
            lambda: control.ping(timeout=2, limit=1) == [{"shop@test": {"ok": "pong"}}],
            what="a pong\n" + shop.log()[-3000:],
        )
        (said,) = control.broadcast("consumption", reply=True, timeout=5, limit=1)
        assert {"shop@test": {"state": "idle", "held": 0}} == said
        (pool,) = [stats["pool"] for stats in control.inspect(timeout=5, limit=1).stats().values()]
        assert pool["max-concurrency"] == 2
    before = len(shop.acts())
    for _ in range(2):
        shop.send("shop.nap", seconds=0.3)
    wait_until(lambda: len(shop.acts()) == before + 4, what="two tasks\n" + shop.log()[-3000:])
    assert shop.processes[0].poll() is None
    assert shop.probe("live")[0] == 0
    assert "Unrecoverable" not in shop.log()
    assert shop.parked() == []


def test_no_broadcast_ends_a_worker_or_changes_what_it_does(open_shop: Any) -> None:
    for body in BODIES.values():
        broadcast(open_shop, body)
    for headers in HEADERS:
        broadcast(open_shop, {"method": "ping"}, headers=headers)
    for body in (b"", b"{nonsense", b"\xff", b"[" * 50_000):
        broadcast(open_shop, body)
    broadcast(open_shop, "x", content_type="application/x-python-serialize")
    broadcast(open_shop, b"x" * 30_000, content_type="text/plain", content_encoding="punycode")

    obeys(open_shop)


def test_who_asks_for_what_is_not_taken_is_told(open_shop: Any) -> None:
    with open_shop.app() as app:
        answers = app.control.broadcast("pool_grow", arguments={"n": 1}, reply=True, timeout=5, limit=1)

    assert [{"shop@test": {"error": "'pool_grow' is not taken by remote control"}}] == answers


NO_BROADCASTS = (
    b"garbage",
    b"7",
    b"{}",
    b"[" * 50_000,
    b'{"properties": {}}',
    b'{"properties": 7, "headers": 7}',
    b"\xff",
)


def test_what_is_no_message_in_a_channel_of_valkey_ends_no_worker(shop_on: Any, redis_url: str) -> None:
    import redis

    shop = shop_on(redis_url)
    shop.worker(concurrency=2)

    with redis.Redis.from_url(redis_url) as client:
        for entry in NO_BROADCASTS:
            assert client.publish(f"/{redis_url.rpartition('/')[2]}.celery.pidbox", entry) == 1

    obeys(shop)
