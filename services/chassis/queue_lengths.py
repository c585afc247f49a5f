"""How many messages wait in a queue, asked of the broker by a declaration, which both kinds of broker answer.

Messages that a worker holds are not among them on either: RabbitMQ counts those that are ready, and on Redis what is held is not in the
list.
"""

from collections.abc import Sequence
from typing import Any

from amqp.exceptions import NotFound

from chassis.app import ChassisApp
from chassis.errors import Transient


class QueueLengths:
    """Asks for some queues, over one connection that is kept. Used by one thread at a time."""

    def __init__(self, app: ChassisApp, queues: Sequence[str], *, missing: int | None = None) -> None:
        """`missing` is told of a queue that nobody has made yet."""
        self._app = app
        self._queues = tuple(queues)
        self._missing = missing
        self._connection: Any = None

    def read(self) -> dict[str, int]:
        """Messages that wait, by queue. Raises Transient when the broker does not answer in time, or has no such queue."""
        try:
            return {queue: self._length(queue) for queue in self._queues}
        except Exception as error:
            # Whatever failed, an answer that still comes would be taken for that to the next question.
            self.close()
            raise Transient(f"the lengths of {', '.join(self._queues)} are not known: {error}") from error

    def _length(self, queue: str) -> int:
        if self._connection is None:
            self._connection = self._app.connection_for_write()
            self._connection.ensure_connection(
                max_retries=1, interval_start=0.1, timeout=self._app.settings.publish_timeout_seconds
            )
        # An empty list is none for Redis, and a passive declaration of it fails; one that is not passive makes nothing there.
        passive = self._connection.transport.driver_type != "redis"
        try:
            return int(self._connection.default_channel.queue_declare(queue, passive=passive).message_count)
        except NotFound:
            if self._missing is None:
                raise
            self.close()  # the broker has ended the channel
            return self._missing

    def close(self) -> None:
        """Let the connection go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.collect()
