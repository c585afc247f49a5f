"""How many messages wait in each queue, asked of the broker itself: a passive declare, or the length of a list.

Messages that a worker holds unacknowledged are not counted on RabbitMQ: AMQP does not tell them.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import amqp

from conductor import amqp_client
from conductor.errors import StoreUnreachable
from conductor.laptop.platform import Platform
from conductor.redis_client import connected


@dataclass(frozen=True, slots=True)
class Depth:
    """`messages` and `consumers` are None when the broker does not tell: no such queue, no answer, or no such notion."""

    queue: str
    messages: int | None
    consumers: int | None


class QueueDepths:
    """Reads the depths of every queue that a pool names, and of its dead letters; keeps one connection."""

    def __init__(self, platform: Platform) -> None:
        queues = [queue for pool in platform.pools.values() for queue in pool.queues]
        self._queues = [*queues, *(f"{queue}.dead" for queue in queues if platform.state.broker == "rabbitmq")]
        self._url = platform.broker_url
        self._amqp: amqp_client.Connection | None = None

    def read(self) -> Sequence[Depth]:
        """One depth a queue, in the order of the pools."""
        if self._url.startswith("amqp"):
            return [self._of_rabbitmq(queue) for queue in self._queues]
        return self._of_valkey()

    def _of_valkey(self) -> list[Depth]:
        try:
            with connected(self._url, answer_seconds=2) as client:
                # Every command of redis-py may also be a coroutine to the type checker.
                lengths: list[Any] = [client.llen(queue) for queue in self._queues]
        except StoreUnreachable:
            return [Depth(queue, None, None) for queue in self._queues]
        return [Depth(queue, int(length), None) for queue, length in zip(self._queues, lengths, strict=True)]

    def _of_rabbitmq(self, queue: str) -> Depth:
        try:
            connection = self._connected()
            with contextlib.closing(connection.channel()) as channel:
                found = channel.queue_declare(queue, passive=True)
        except amqp.NotFound:
            return Depth(queue, None, None)
        except (OSError, amqp.AMQPError):
            self._amqp = None
            return Depth(queue, None, None)
        return Depth(queue, found.message_count, found.consumer_count)

    def _connected(self) -> amqp_client.Connection:
        if self._amqp is None or not self._amqp.connected:
            self._amqp = amqp_client.connected(self._url, connect_timeout=2)
        return self._amqp
