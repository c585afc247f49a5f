"""Exchanges and queues as the live broker has them."""

import subprocess
import sys
from typing import Any

import pytest
from kombu import Connection, Queue

from chassis.queues import TopologyMismatch, declare
from servers import RabbitMQ, Valkey

QUEUES = ("shop.till", "shop.stock")


def test_declaring_makes_a_work_queue_and_a_dead_letter_queue_a_pool(rabbitmq: RabbitMQ, vhost: str) -> None:
    with Connection(rabbitmq.url(vhost)) as connection:
        names = declare(connection, QUEUES)

    found = {queue["name"]: queue["arguments"] for queue in rabbitmq.api("GET", f"queues/{vhost}")}
    assert sorted(found) == sorted(names) == ["shop.stock", "shop.stock.dead", "shop.till", "shop.till.dead"]
    assert found["shop.till"] == {
        "x-queue-type": "quorum",
        "x-delivery-limit": 20,
        "x-dead-letter-exchange": "shop.dead",
        "x-dead-letter-routing-key": "shop.till",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    assert found["shop.till.dead"] == {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}


def test_the_exchanges_are_durable_and_of_type_topic(rabbitmq: RabbitMQ, vhost: str) -> None:
    with Connection(rabbitmq.url(vhost)) as connection:
        declare(connection, QUEUES)

    exchanges = {e["name"]: (e["type"], e["durable"]) for e in rabbitmq.api("GET", f"exchanges/{vhost}")}
    assert {name: exchanges[name] for name in ("shop", "shop.dead")} == {
        "shop": ("topic", True),
        "shop.dead": ("topic", True),
    }


def test_declaring_twice_changes_nothing(rabbitmq: RabbitMQ, vhost: str) -> None:
    with Connection(rabbitmq.url(vhost)) as connection:
        assert declare(connection, QUEUES) == declare(connection, QUEUES)


def test_a_queue_with_other_arguments_is_named_and_kept(rabbitmq_url: str) -> None:
    with Connection(rabbitmq_url) as connection:
        Queue("shop.till", durable=True)(connection.channel()).declare()

        with pytest.raises(TopologyMismatch, match=r"queue 'shop\.till' exists with other arguments"):
            declare(connection, QUEUES)


def test_on_redis_nothing_is_declared_that_a_flush_could_lose(valkey: Valkey, redis_url: str) -> None:
    import redis

    with Connection(redis_url) as connection:
        assert declare(connection, QUEUES) == list(QUEUES)

    with redis.Redis.from_url(redis_url) as client:
        assert client.keys("*") == []


def run_declare(shop: Any, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "chassis.declare", "shop"]
    return subprocess.run(
        command, env={**shop.environment, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_prints_the_queues(rabbit_shop: Any) -> None:
    done = run_declare(rabbit_shop)

    assert (done.returncode, done.stdout.split()) == (0, [*QUEUES, "shop.till.dead", "shop.stock.dead"])


def test_the_command_says_in_one_line_that_the_broker_is_away(rabbit_shop: Any) -> None:
    done = run_declare(rabbit_shop, BROKER_URL="amqp://user:secret@127.0.0.1:1/none")

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_a_worker_makes_what_is_missing(rabbit_shop: Any, rabbitmq: RabbitMQ, vhost: str) -> None:
    rabbit_shop.worker(pool="solo", queues="shop.till")

    names = sorted(queue["name"] for queue in rabbitmq.api("GET", f"queues/{vhost}") if "pidbox" not in queue["name"])
    assert names == ["shop.till", "shop.till.dead"]


def test_a_worker_ends_when_its_queue_has_other_arguments(rabbit_shop: Any) -> None:
    with Connection(rabbit_shop.broker_url) as connection:
        Queue("shop.till", durable=True)(connection.channel()).declare()

    worker = rabbit_shop.worker(pool="solo", ready=False)

    assert worker.wait(30) == 1
    assert "exists with other arguments" in rabbit_shop.log()
