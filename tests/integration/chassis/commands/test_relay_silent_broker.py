"""The relay while its broker is alive and takes nothing: it beats, says what it waits for, ends when told, goes on after."""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from post import Post

from chassis.declare import declare_app
from servers import RabbitMQ, wait_until

sys.path.insert(0, str(Path(__file__).parents[1]))

from silence import disk_alarm, full_memory, memory_alarm, stopped

WAYS: dict[str, Callable[[Any], AbstractContextManager[None]]] = {
    "rabbitmq stopped": stopped,
    "rabbitmq memory alarm": memory_alarm,
    "rabbitmq disk alarm": disk_alarm,
    "valkey stopped": stopped,
    "valkey memory full": full_memory,
}

PATIENCE_SECONDS = 1.0
"""The time-out for publishing here: connecting, writing and confirming may each take it."""


@pytest.mark.parametrize("way", WAYS)
def test_it_beats_and_says_what_it_waits_for(
    desk: Desk, outbox_url: str, request: pytest.FixtureRequest, way: str
) -> None:
    kind = way.split()[0]
    server = request.getfixturevalue(kind)
    url = request.getfixturevalue({"rabbitmq": "rabbitmq_url", "valkey": "redis_url"}[kind])
    post = Post(outbox_url, url, patience_seconds=PATIENCE_SECONDS)
    declare_app(post.app)
    with post.running(post.relay(default_batch=1)):
        desk.put("before")
        post.wait_for()
        with WAYS[way](server):
            since = time.monotonic()
            desk.put("a", queue="shop.till")
            desk.put("b", queue="shop.stock")
            wait_until(lambda: post.heartbeat.beats[-10:].count(False) >= 3, what="three beats without the broker")
            at = [since, *(beat for beat in post.heartbeat.at if beat > since)]
            told = post.heartbeat.details[-1]
        wait_until(lambda: all(row.issued for row in desk.rows("SELECT issued FROM outbox")), what="the rest")
        wait_until(lambda: post.heartbeat.beats[-1], what="a beat with the broker")
    post.close()

    assert max(after - before for before, after in pairwise(at)) < 15
    assert told.startswith("broker: ")
    assert "" == post.heartbeat.details[-1]


def test_it_ends_when_told_while_nothing_answers(
    desk: Desk, outbox_url: str, rabbitmq: RabbitMQ, rabbitmq_url: str
) -> None:
    post = Post(outbox_url, rabbitmq_url, patience_seconds=PATIENCE_SECONDS)
    declare_app(post.app)
    relay = post.relay(default_batch=1)
    thread = threading.Thread(target=relay.run)
    thread.start()
    desk.put("before")
    post.wait_for()
    with stopped(rabbitmq):
        desk.put(*"abcdefgh")
        wait_until(lambda: not post.heartbeat.beats[-1], what="a relay that noticed")
        relay.stop()
        thread.join(10 * PATIENCE_SECONDS)
        ended = not thread.is_alive()
    thread.join()
    post.close()

    assert ended


def test_a_queue_that_takes_nothing_does_not_hold_up_the_others(
    desk: Desk, outbox_url: str, rabbitmq: RabbitMQ, vhost: str
) -> None:
    post = Post(outbox_url, rabbitmq.url(vhost), patience_seconds=PATIENCE_SECONDS)
    declare_app(post.app)
    full = {"pattern": "^shop.stock$", "apply-to": "queues", "definition": {"max-length": 1}}
    rabbitmq.api("PUT", f"policies/{vhost}/full", full)
    desk.put(*"abcdef", queue="shop.stock")
    with post.running(post.relay(default_batch=1)):
        wait_until(
            lambda: not post.heartbeat.beats[-1] if post.heartbeat.beats else False,
            what="a queue that takes nothing more",
        )
        for key in "uvwxyz":
            desk.put(key)
            post.wait_for()
    post.close()


def limited(rabbitmq: RabbitMQ, vhost: str, **permissions: str) -> str:
    """The address of a user who has no permission but these patterns."""
    rabbitmq.api("PUT", "users/limited", {"password": "p", "tags": ""})
    rabbitmq.api("PUT", f"permissions/{vhost}/limited", {"configure": "^$", "write": "^$", "read": "^$", **permissions})
    return f"amqp://limited:p@127.0.0.1:{rabbitmq.port}/{vhost}"


@pytest.fixture
def declared(outbox_url: str, rabbitmq: RabbitMQ, vhost: str) -> None:
    """The topology, declared by somebody who may."""
    post = Post(outbox_url, rabbitmq.url(vhost))
    declare_app(post.app)
    post.close()


def test_a_user_who_may_not_publish_is_told_so(
    desk: Desk, outbox_url: str, rabbitmq: RabbitMQ, vhost: str, declared: None
) -> None:
    post = Post(outbox_url, limited(rabbitmq, vhost, read=".*"))
    desk.put("a")
    with post.running(post.relay()):
        wait_until(lambda: bool(post.heartbeat.details and post.heartbeat.details[-1]), what="a relay that waits")
        told = post.heartbeat.details[-1]
    post.close()

    assert "the permission write is missing" in told
    assert "exchange 'shop'" in told


def test_a_user_who_may_only_publish_does(
    desk: Desk, outbox_url: str, rabbitmq: RabbitMQ, vhost: str, declared: None
) -> None:
    reader, post = Post(outbox_url, rabbitmq.url(vhost)), Post(outbox_url, limited(rabbitmq, vhost, write="^shop$"))
    desk.put("a")
    with post.running(post.relay()):
        reader.wait_for()
        desk.run("UPDATE outbox SET due_at = now()")  # what is published again is declared before
        reader.wait_for()
    for each in (reader, post):
        each.close()
