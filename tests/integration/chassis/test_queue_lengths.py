"""The broker says how many messages wait."""

import pytest
from kombu import Connection

from chassis.app import make_app
from chassis.declare import declare_app
from chassis.errors import Transient
from chassis.queue_lengths import QueueLengths
from chassis.settings import ServiceSettings
from servers import RabbitMQ, wait_until


def test_messages_that_wait_are_counted(broker_url: str) -> None:
    settings = ServiceSettings(database_url="postgresql+psycopg://nobody@127.0.0.1:1/none", broker_url=broker_url)
    app = make_app("shop", ["shop.work", "shop.other"], settings)
    declare_app(app)
    lengths = QueueLengths(app, ["shop.work", "shop.other"])
    for _ in range(3):
        app.send_task("shop.anything", queue="shop.work")

    wait_until(lambda: lengths.read() == {"shop.work": 3, "shop.other": 0}, what="three messages")
    with Connection(broker_url) as connection:
        channel = connection.default_channel
        message = channel.basic_get("shop.work")
        wait_until(lambda: lengths.read()["shop.work"] == 2, what="one less, because it is held")
        channel.basic_ack(message.delivery_tag)
    lengths.close()


def test_a_broker_that_is_away_is_told_and_asked_anew(rabbitmq: RabbitMQ, vhost: str) -> None:
    settings = ServiceSettings(
        database_url="postgresql+psycopg://nobody@127.0.0.1:1/none", broker_url=rabbitmq.url(vhost)
    )
    app = make_app("shop", ["shop.work"], settings)
    lengths = QueueLengths(app, ["shop.work"])
    with pytest.raises(Transient, match=r"shop\.work"):  # there is no such queue yet
        lengths.read()
    declare_app(app)
    assert {"shop.work": 0} == lengths.read()

    rabbitmq.close_connections(vhost)

    def answers() -> bool:
        try:
            return lengths.read() == {"shop.work": 0}
        except Transient:
            return False

    wait_until(answers, what="an answer over a new connection")
    lengths.close()


def test_a_queue_that_nobody_has_made_yet_is_as_long_as_one_says(rabbitmq: RabbitMQ, vhost: str) -> None:
    settings = ServiceSettings(
        database_url="postgresql+psycopg://nobody@127.0.0.1:1/none", broker_url=rabbitmq.url(vhost)
    )
    app = make_app("shop", ["shop.first", "shop.work"], settings)
    lengths = QueueLengths(app, ["shop.first", "shop.work"], missing=0)

    assert {"shop.first": 0, "shop.work": 0} == lengths.read()
    app.send_task("shop.anything", queue="shop.work")
    wait_until(lambda: lengths.read() == {"shop.first": 0, "shop.work": 1}, what="a message")
    lengths.close()
