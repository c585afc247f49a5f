"""Publishing: confirmed, addressed by the queue's name on every broker, and never without an end."""

import time
from typing import Any

import pytest
from kombu.exceptions import OperationalError

from chassis.declare import declare_app
from servers import RabbitMQ, Valkey, free_port


def waiting(app: Any, queue: str) -> int:
    with app.connection_for_read() as connection:
        return int(connection.default_channel.queue_declare(queue, passive=True).message_count)


def test_a_routing_key_that_is_a_queue_addresses_that_queue_on_every_broker(shop: Any) -> None:
    app = shop.app()
    declare_app(app)

    app.send_task("shop.note", exchange="shop", routing_key="shop.stock")

    assert waiting(app, "shop.stock") == 1


def test_a_task_sent_without_a_queue_goes_to_the_first(shop: Any) -> None:
    app = shop.app()
    declare_app(app)

    app.send_task("shop.note")

    assert waiting(app, "shop.till") == 1


def test_a_message_waits_in_one_list_named_like_the_queue(valkey: Valkey, redis_url: str, shop_on: Any) -> None:
    import redis

    shop_on(redis_url).send("shop.note")

    with redis.Redis.from_url(redis_url) as client:
        assert client.keys("*") == [b"shop.till"]


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_publishing_to_a_broker_that_is_away_fails_within_seconds(shop_on: Any, scheme: str) -> None:
    app = shop_on(f"{scheme}://127.0.0.1:{free_port()}/0").app(publish_timeout_seconds=0.5)
    began = time.monotonic()

    with pytest.raises(OperationalError):
        app.send_task("shop.note")

    assert time.monotonic() - began < 5


def test_publishing_to_a_broker_that_hangs_fails_within_seconds(rabbit_shop: Any, rabbitmq: RabbitMQ) -> None:
    app = rabbit_shop.app(publish_timeout_seconds=0.5)
    declare_app(app)
    app.send_task("shop.note")  # the connection is there
    began = time.monotonic()

    rabbitmq.pause()
    try:
        with pytest.raises((OperationalError, OSError)):
            app.send_task("shop.note")
        seconds = time.monotonic() - began
    finally:
        rabbitmq.resume()

    assert seconds < 10


def test_a_hanging_redis_fails_a_publisher_within_seconds(shop_on: Any, valkey: Valkey, redis_url: str) -> None:
    app = shop_on(redis_url).app(publish_timeout_seconds=0.5)
    app.send_task("shop.note")
    began = time.monotonic()

    valkey.pause()
    try:
        with pytest.raises((OperationalError, OSError)):
            app.send_task("shop.note")
        seconds = time.monotonic() - began
    finally:
        valkey.resume()

    assert seconds < 20


def test_a_publish_is_confirmed_or_raises(rabbit_shop: Any, rabbitmq: RabbitMQ, vhost: str) -> None:
    app = rabbit_shop.app()
    declare_app(app)
    rabbitmq.api("PUT", f"policies/{vhost}/full", {
        "pattern": "^shop.till$", "apply-to": "queues", "definition": {"max-length": 1},
    })  # fmt: skip

    def publish_five() -> None:
        for _ in range(5):
            app.send_task("shop.note", retry=False)

    with pytest.raises(OperationalError):
        publish_five()
