"""Publishes a drill's own messages without the checks of the services, and cancels the broker's consumers."""

import json
import uuid
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from kombu import Connection

from conductor.amqp_client import Transport
from conductor.redis_client import connected
from conductor.runtime import ProcessRuntime

PATIENCE = {"max_retries": 10, "interval_start": 0.2, "interval_step": 0.2, "interval_max": 1.0}


class BrokerClient:
    """One connection; a context manager. Queues must exist."""

    @classmethod
    def of(cls, runtime: ProcessRuntime, *, confirmed: bool = True) -> Self:
        """A client of the broker of a running platform."""
        return cls(runtime.addresses()["broker"], confirmed=confirmed)

    def __init__(self, url: str, *, confirmed: bool = True) -> None:
        """Without `confirmed` no publisher confirm is awaited, and the last messages may reach no queue."""
        self._rabbitmq = url.startswith("amqp")
        self._url = url
        options = {"confirm_publish": True} if self._rabbitmq and confirmed else {}
        transport = Transport if self._rabbitmq else None
        self._connection = Connection(self._url, connect_timeout=5, transport=transport, transport_options=options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.release()

    def send_task(self, queue: str, task: str, kwargs: Mapping[str, Any]) -> None:
        """A task message as Celery writes it (protocol 2)."""
        self.send_raw(queue, json.dumps([[], dict(kwargs), {}]), headers=task_headers(task))

    def send_all(self, queue: str, messages: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Messages that each are a body and its headers; see `send_raw`."""
        for body, headers in messages:
            self.send_raw(queue, body, headers=headers)

    def send_raw(
        self,
        queue: str,
        body: str | bytes,
        *,
        headers: Mapping[str, Any],
        content_type: str = "application/json",
        content_encoding: str = "utf-8",
        **properties: Any,
    ) -> None:
        """A message of any body, headers and properties, straight into a queue."""
        self._connection.Producer(auto_declare=False).publish(
            body,
            exchange="",
            routing_key=queue,
            headers=dict(headers),
            content_type=content_type,
            content_encoding=content_encoding,
            **properties,
            retry=True,
            retry_policy=PATIENCE,
        )

    def take(self, queue: str) -> list[bytes]:
        """Take the oldest message out of a queue of RabbitMQ for good, and give its body; nothing when there is none."""
        message = self._connection.default_channel.basic_get(queue, no_ack=True)
        return [] if message is None else [bytes(message.body)]

    def dead_letters(self, queue: str) -> int:
        """How many messages of this queue the broker has put aside and nobody has collected."""
        name = f"{queue}.dead"
        if self._rabbitmq:
            return int(self._connection.default_channel.queue_declare(name, passive=True).message_count)
        with connected(self._url) as client:
            # Every command of redis-py may also be a coroutine to the type checker.
            found: Any = client.llen(name)
        return int(found)

    def cut_consumers(self, queue: str) -> str:
        """Delete the queue while it is consumed, or close the consumers' connections where a queue is a list. Returns which."""
        if self._rabbitmq:
            self._connection.default_channel.queue_delete(queue)
            return f"deleted the queue {queue}: the broker cancels its consumers"
        with connected(self._url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
        return "closed every connection to the broker"


def task_headers(task: str) -> dict[str, Any]:
    """Headers of a task message, with an id of its own."""
    own = str(uuid.uuid4())
    return {
        "lang": "py",
        "task": task,
        "id": own,
        "root_id": own,
        "parent_id": None,
        "retries": 0,
        "timelimit": [None, None],
    }
