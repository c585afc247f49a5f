"""Messages that a worker cannot run, on both brokers: none is lost, none stops the worker."""

import json
from typing import Any

import pytest

from chassis import outbox
from chassis.outbox import Command
from chassis.parking import engine_for
from servers import Postgres, wait_until

GOOD_HEADERS = {"task": "shop.note", "id": "i-1", "lang": "py", "timelimit": [None, None]}


def publish(shop: Any, body: bytes, *, content_type: str = "application/json", **headers: Any) -> None:
    """Put bytes into the queue, as somebody who is not Celery might."""
    app = shop.app()
    with app.producer_or_acquire() as producer:
        queue = app.amqp.queues["shop.till"]
        producer.publish(
            body, exchange=queue.exchange.name, routing_key="shop.till", declare=[queue], headers=headers,
            content_type=content_type, content_encoding="utf-8",
        )  # fmt: skip
    app.close()


def test_a_task_of_a_newer_version_is_parked_and_the_worker_goes_on(open_shop: Any) -> None:
    open_shop.send("shop.of_version_two", n=1)
    open_shop.send("shop.note")
    wait_until(lambda: open_shop.acts() == ["note"] and bool(open_shop.parked()), what="one parked and one run")

    assert open_shop.parked() == [("unknown_task", "shop.of_version_two")]


UNREADABLE = {
    "no headers": (b"[[], {}, {}]", {}),
    "no id": (b"[[], {}, {}]", {"task": "shop.note"}),
    "task is a number": (b"[[], {}, {}]", {"task": 7, "id": "i"}),
    "not JSON": (b"{nonsense", GOOD_HEADERS),
    "not UTF-8": (b"\xff\xfe\x00", GOOD_HEADERS),
    "a number": (b"7", GOOD_HEADERS),
    "null": (b"null", GOOD_HEADERS),
    "a string": (b'"text"', GOOD_HEADERS),
    "an object": (b'{"args": []}', GOOD_HEADERS),
    "an old protocol": (b'{"task": "shop.note", "id": "x", "args": [], "kwargs": {}}', {}),
    "two parts": (b"[[], {}]", GOOD_HEADERS),
    "arguments that are a list": (b"[[], [], {}]", GOOD_HEADERS),
    "an unknown argument": (b'[[], {"colour": "red"}, {}]', GOOD_HEADERS),
    "a missing argument": (b"[[], {}, {}]", {**GOOD_HEADERS, "task": "shop.nap"}),
    "a version from the future": (b'[[], {"v": 3, "ids": [1]}, {}]', {**GOOD_HEADERS, "task": "shop.reserve"}),
    "a version that is a list": (b'[[], {"v": [1], "ids": [1]}, {}]', {**GOOD_HEADERS, "task": "shop.reserve"}),
    "a NUL character": (b'[[], {"a\\u0000b": "\\u0000"}, {}]', GOOD_HEADERS),
    "an eta that is no time": (b"[[], {}, {}]", {**GOOD_HEADERS, "eta": "soon"}),
    "a body that is not compressed as it says": (
        b"[[], {}, {}]",
        {**GOOD_HEADERS, "compression": "application/x-gzip"},
    ),
    "a compression nobody knows": (b"[[], {}, {}]", {**GOOD_HEADERS, "compression": "application/x-none"}),
    "time limits that are no pair": (b"[[], {}, {}]", {**GOOD_HEADERS, "timelimit": "x"}),
}


def test_every_unreadable_message_is_parked_and_the_worker_goes_on(open_shop: Any) -> None:
    for number, (body, headers) in enumerate(UNREADABLE.values()):
        publish(open_shop, body, **({**headers, "id": f"i-{number}"} if headers.get("id") else headers))
    publish(open_shop, b"cpickle", content_type="application/x-python-serialize", **GOOD_HEADERS)
    open_shop.send("shop.note")
    wait_until(lambda: open_shop.acts() == ["note"], what="the good message after the bad")
    wait_until(lambda: len(open_shop.parked()) > len(UNREADABLE), what="all of the bad", seconds=10)

    assert {reason for reason, _ in open_shop.parked()} == {"malformed"}
    assert open_shop.processes[0].poll() is None


def test_a_body_that_cannot_be_read_is_kept_byte_by_byte(open_shop: Any) -> None:
    publish(open_shop, b"\xff\x00{", **GOOD_HEADERS)
    wait_until(lambda: bool(open_shop.parked()), what="a parked message")

    assert open_shop.rows("SELECT body FROM parked")[0].body == {"raw": "/wB7"}


def test_while_the_database_is_away_a_bad_message_is_neither_lost_nor_acknowledged(
    shop: Any, postgres: Postgres
) -> None:
    shop.worker(pool="solo")

    postgres.stop()
    try:
        shop.send("shop.unknown")
        wait_until(lambda: "park_failed" in shop.log(), what="a parking that failed")
        shop.send("shop.note", queue="shop.stock")
    finally:
        postgres.start()
    wait_until(lambda: bool(shop.parked()), what="the message, parked after all")

    assert shop.parked() == [("unknown_task", "shop.unknown")]


def test_an_unknown_task_with_outbox_commands_parks_the_commands_once(open_shop: Any) -> None:
    with engine_for(open_shop.database_url).begin() as conn:
        outbox.put(conn, [Command(key=f"k{n}", task="shop.future", queue="shop.till", body={"n": n}) for n in (1, 2)])
    open_shop.rows("UPDATE outbox SET issued = 1 RETURNING id")
    ids = [row.id for row in open_shop.rows("SELECT id FROM outbox ORDER BY id")]

    open_shop.send("shop.future", v=1, ids=ids)
    open_shop.send("shop.future", v=1, ids=ids)
    wait_until(lambda: open_shop.log().count("message_parked") == 2, what="two deliveries parked")

    assert [tuple(row) for row in open_shop.rows("SELECT key, reason FROM parked ORDER BY key")] == [
        ("k1", "unknown_task"),
        ("k2", "unknown_task"),
    ]
    assert {row.state for row in open_shop.rows("SELECT state FROM outbox")} == {"parked"}


@pytest.mark.parametrize(
    "headers", [{"compression": "application/x-gzip"}, {"compression": "application/x-none"}, {"timelimit": "x"}]
)
def test_a_message_whose_headers_are_wrong_parks_no_command_that_it_names(
    open_shop: Any, headers: dict[str, str]
) -> None:
    with engine_for(open_shop.database_url).begin() as conn:
        outbox.put(conn, [Command(key="k", task="shop.future", queue="shop.till", body={"n": 1})])
    (row,) = open_shop.rows("UPDATE outbox SET issued = 1 RETURNING id")
    body = json.dumps([[], {"v": 1, "ids": [row.id], "mark": 1}, {}]).encode()

    publish(open_shop, body, **{**GOOD_HEADERS, "task": "shop.future", **headers})
    wait_until(lambda: "message_parked" in open_shop.log(), what="the message, parked")

    assert [tuple(row) for row in open_shop.rows("SELECT key, task FROM parked")] == [(None, "shop.future")]
    assert {row.state for row in open_shop.rows("SELECT state FROM outbox")} == {"open"}


def test_a_message_of_either_readable_version_runs(open_shop: Any) -> None:
    for version in (1, 2):
        open_shop.send("shop.reserve", v=version, ids=[7])
    wait_until(lambda: len(open_shop.acts()) == 2, what="both versions")

    assert sorted(open_shop.acts()) == ["reserve v1 7", "reserve v2 7"]


@pytest.mark.parametrize(("permanent", "reason"), [(False, "bug"), (True, "permanent")])
def test_a_task_that_fails_is_parked_once_however_often_it_fails(open_shop: Any, permanent: bool, reason: str) -> None:
    for _ in range(3):
        open_shop.send("shop.fail", permanent=permanent)
    wait_until(lambda: open_shop.log().count('"failure_parked"') == 3, what="three failures")

    assert open_shop.parked() == [(reason, "shop.fail")]


def test_a_batch_that_fails_is_left_to_its_open_commands(open_shop: Any) -> None:
    open_shop.send("shop.reserve", v=1, ids=[666])
    wait_until(lambda: "batch_failed" in open_shop.log(), what="a failed batch")

    assert open_shop.parked() == []


def test_a_killed_child_costs_a_repeat_and_not_the_message(shop_on: Any, rabbitmq_url: str) -> None:
    shop = shop_on(rabbitmq_url)
    shop.worker()

    shop.send("shop.die")
    wait_until(lambda: len(shop.acts()) >= 2, what="a second try")

    assert set(shop.acts()) == {"dies"}


def test_the_log_has_the_task_id_and_is_json(open_shop: Any) -> None:
    open_shop.send("shop.fail")
    wait_until(lambda: '"failure_parked"' in open_shop.log(), what="a failure in the log")
    line = next(line for line in open_shop.log().splitlines() if '"task_failed"' in line)

    assert json.loads(line)["task_id"]
    assert json.loads(line)["pool"] == "till"


NO_MESSAGES = (
    b"garbage",
    b"[]",
    b"7",
    b"{}",
    b"\xff",
    b'{"body": "x", "properties": {}}',
    b'{"body": "abc", "properties": {"delivery_tag": "t", "delivery_info": {}, "body_encoding": "base64"}}',
    b'{"body": "x", "properties": {"delivery_tag": "t", "delivery_info": 7}}',
    b'{"body": "x", "properties": {"delivery_tag": 7, "delivery_info": {}}}',
)


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_what_is_no_message_at_all_in_a_list_of_valkey_stops_no_worker(shop_on: Any, redis_url: str, pool: str) -> None:
    import redis

    shop = shop_on(redis_url)
    worker = shop.worker(pool=pool)

    with redis.Redis.from_url(redis_url) as client:
        for entry in NO_MESSAGES:
            client.lpush("shop.till", entry)
        shop.send("shop.note")
        wait_until(lambda: shop.acts() == ["note"], what="the good message after the bad")
        kept = client.lrange("shop.till.dead", 0, -1)

    assert sorted(kept) == sorted(NO_MESSAGES)
    assert worker.poll() is None
