"""The watch over consumers, at a real RabbitMQ, with a login that may do nothing."""

import contextlib
import threading
from collections.abc import Iterator

import amqp
import pytest

from conductor.consumer_gaps import ConsumerWatch
from servers import PASSWORD, RabbitMQ, wait_until

QUEUE = "orders.saga"


@pytest.fixture
def channel(rabbitmq: RabbitMQ, vhost: str) -> Iterator[amqp.Channel]:
    """Of a consumer-to-be; its queue is there."""
    connection = amqp.Connection(f"127.0.0.1:{rabbitmq.port}", userid="tester", password=PASSWORD, virtual_host=vhost)
    connection.connect()
    opened = connection.channel()
    opened.queue_declare(QUEUE, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    yield opened
    with contextlib.suppress(amqp.AMQPError, OSError):  # a test may have had the broker close it
        connection.close()


@pytest.fixture
def looker(rabbitmq: RabbitMQ, vhost: str) -> str:
    """The address of a login without any right but to be there."""
    rabbitmq.api("PUT", "users/looker", {"password": "sees all", "tags": "monitoring"})
    rabbitmq.api("PUT", f"permissions/{vhost}/looker", {"configure": "", "write": "", "read": ""})
    return f"amqp://looker:sees%20all@127.0.0.1:{rabbitmq.port}/{vhost}"


def fewest_and_most(watch: ConsumerWatch) -> list[int]:
    seen: list[int] = watch.told()["consumers"].get(QUEUE, [])
    return seen


def test_a_consumer_that_goes_and_comes_back_leaves_a_gap(looker: str, channel: amqp.Channel) -> None:
    tag = channel.basic_consume(QUEUE, callback=lambda message: None)
    watch = ConsumerWatch(looker, [QUEUE])
    wait_until(lambda: fewest_and_most(watch) == [1, 1], what="a consumer that is seen")
    before = watch.told()["gaps"][QUEUE]

    channel.basic_cancel(tag)
    wait_until(lambda: watch.told()["gaps"][QUEUE] >= before + 1.0, what="a second without a consumer")
    channel.basic_consume(QUEUE, callback=lambda message: None)
    looks = watch.told()["looks"]
    wait_until(lambda: watch.told()["looks"] > looks + 1, what="another look")
    watch.close()

    assert [0, 1] == fewest_and_most(watch)


def test_it_looks_again_after_its_connection_was_closed(looker: str, channel: amqp.Channel, rabbitmq: RabbitMQ) -> None:
    watch = ConsumerWatch(looker, [QUEUE])
    wait_until(lambda: watch.told()["looks"] > 0, what="a first look")

    rabbitmq.close_connections()
    looks = watch.told()["looks"]
    wait_until(lambda: watch.told()["looks"] > looks + 2, what="a look over another connection")
    watch.close()

    assert not [thread for thread in threading.enumerate() if thread.name == "consumers"]
