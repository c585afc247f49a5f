"""The stream of confirmed messages, at a real RabbitMQ: it names what was confirmed and is gone."""

import amqp
import pytest

from conductor.errors import DrillFailed, Refused
from conductor.harness.confirmed_stream import ConfirmedStream
from servers import PASSWORD, RabbitMQ, wait_until

QUEUE = "orders.confirmed1"


def connected(rabbitmq: RabbitMQ, vhost: str) -> amqp.Connection:
    connection = amqp.Connection(f"127.0.0.1:{rabbitmq.port}", userid="tester", password=PASSWORD, virtual_host=vhost)
    connection.connect()
    return connection


def waiting(channel: amqp.Channel) -> int:
    return int(channel.queue_declare(QUEUE, passive=True).message_count)


def test_everything_that_was_confirmed_is_there_after_its_connection_was_cut(rabbitmq: RabbitMQ, vhost: str) -> None:
    stream = ConfirmedStream(rabbitmq.url(vhost), QUEUE)
    with connected(rabbitmq, vhost) as looker:
        channel = looker.channel()
        wait_until(lambda: waiting(channel) > 5, what="some messages")
    rabbitmq.close_connections(vhost)
    with connected(rabbitmq, vhost) as looker:
        channel = looker.channel()
        before = waiting(channel)
        wait_until(lambda: waiting(channel) > before + 5, what="messages over another connection")

    told = stream.close()

    assert [] == told["missing"]
    assert told["confirmed"] > 10
    assert told["longest"] > 0.0


def test_a_message_that_was_confirmed_and_is_gone_is_named(rabbitmq: RabbitMQ, vhost: str) -> None:
    stream = ConfirmedStream(rabbitmq.url(vhost), QUEUE)
    with connected(rabbitmq, vhost) as thief:
        channel = thief.channel()
        wait_until(lambda: waiting(channel) > 5, what="some messages")
        stolen = channel.basic_get(QUEUE, no_ack=True)

    told = stream.close()

    assert [int(stolen.body)] == told["missing"]


def test_what_is_no_rabbitmq_confirms_nothing() -> None:
    with pytest.raises(Refused, match="redis is no RabbitMQ"):
        ConfirmedStream("redis://:word@127.0.0.1:6379/0", QUEUE)


def test_a_queue_that_cannot_be_made_is_told_at_once(rabbitmq: RabbitMQ, vhost: str) -> None:
    with pytest.raises(DrillFailed, match=f"the queue {QUEUE} cannot be made at 127.0.0.1"):
        ConfirmedStream(f"amqp://stranger:word@127.0.0.1:{rabbitmq.port}/{vhost}", QUEUE)
