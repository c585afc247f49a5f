"""The watch over consumers, at a real RabbitMQ."""

import contextlib
import threading
from collections.abc import Iterator

import amqp
import pytest

from conductor.errors import DrillFailed, Refused
from conductor.harness.consumer_gaps import ConsumerWatch
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
    """The address of a login that can take no message."""
    rabbitmq.api("PUT", "users/looker", {"password": "sees all", "tags": "monitoring"})
    rabbitmq.api("PUT", f"permissions/{vhost}/looker", {"configure": ".*", "write": "", "read": ""})
    return f"amqp://looker:sees%20all@127.0.0.1:{rabbitmq.port}/{vhost}"


def fewest_and_most(watch: ConsumerWatch) -> list[int]:
    with contextlib.suppress(DrillFailed):  # not one look yet
        seen: list[int] = watch.told()["consumers"][QUEUE]
        return seen
    return []


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


def test_it_looks_again_after_its_connection_was_closed(
    looker: str, channel: amqp.Channel, rabbitmq: RabbitMQ, vhost: str
) -> None:
    watch = ConsumerWatch(looker, [QUEUE])
    wait_until(lambda: fewest_and_most(watch) == [0, 0], what="a first look")

    rabbitmq.close_connections(vhost)
    looks = watch.told()["looks"]
    wait_until(lambda: watch.told()["looks"] > looks + 2, what="a look over another connection")
    watch.close()

    assert not [thread for thread in threading.enumerate() if thread.name == "consumers"]


def test_where_nobody_could_look_nothing_is_told(rabbitmq: RabbitMQ, vhost: str) -> None:
    watch = ConsumerWatch(f"amqp://stranger:word@127.0.0.1:{rabbitmq.port}/{vhost}", [QUEUE])

    def told() -> str:
        try:
            return str(watch.told())
        except DrillFailed as error:
            return str(error)

    wait_until(lambda: "nobody could look at the queues' consumers: " in told() and "(403)" in told(), what="a refusal")
    watch.close()


def test_another_broker_is_refused() -> None:
    with pytest.raises(Refused, match="redis is no RabbitMQ"):
        ConsumerWatch("redis://:word@127.0.0.1/0", [QUEUE])
