"""The conductor's own client of RabbitMQ, which gives up on a broker that is there and does not answer."""

import time

import pytest
from kombu import Connection as KombuConnection

from conductor import amqp_client
from conductor.amqp_client import Transport
from servers import RabbitMQ


def test_a_broker_that_does_not_answer_is_given_up(
    rabbitmq: RabbitMQ, rabbitmq_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp_client, "ANSWER_SECONDS", 0.5)
    with KombuConnection(rabbitmq_url, transport=Transport) as connection:
        connection.connect()
        rabbitmq.pause()
        try:
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                connection.channel()
            connection.release()
            seconds = time.monotonic() - began
        finally:
            rabbitmq.resume()

    assert seconds < 5
