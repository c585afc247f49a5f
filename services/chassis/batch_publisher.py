"""Publishes batches to a queue of batches: confirmed, and refused when they reach no queue.

RabbitMQ confirms a message that it could not route, so each is published as mandatory as well, and one that comes back is an error. On
Redis a publish is answered once the entry is in the list. A batch whose error is reported may have arrived all the same.

A queue that copies this one (BatchQueue.copies_of) gets each batch as well, before it counts as confirmed: on RabbitMQ by the exchange,
which confirms once all queues have it; on Redis by a second publish, and when only the first was done the caller is told that it was not
confirmed.
"""

import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from chassis import batch_traces, tracing
from chassis.app import ChassisApp
from chassis.errors import Transient
from chassis.queues import declare
from chassis.tracing import Span

CONTENT_TYPE = "application/octet-stream"


class NotConfirmed(Transient):
    """The broker did not confirm a batch, or had no queue for it."""


class BatchPublisher:
    """Publishes to one queue from `threads` threads, each with a connection of its own."""

    def __init__(self, app: ChassisApp, queue: str, *, threads: int = 2) -> None:
        self._app = app
        self._queue = app.amqp.queues[queue]
        copies = [copy for copy, sources in app.copies.items() if queue in sources]
        self._declared = [queue, *copies]
        self._lists = [app.amqp.queues[name] for name in self._declared] if app.settings.broker_is_redis else []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="publisher")
        self._local = threading.local()
        self._lock = threading.Lock()
        self._since: dict[str, float] = {}

    def publish(self, body: bytes, requests: Sequence[Span] = ()) -> "Future[None]":
        """Publish a batch. The future ends once it is confirmed; it raises NotConfirmed after `PUBLISH_TIMEOUT_SECONDS` a step.

        `requests` are the spans of the requests whose data it carries."""
        batch_id = uuid.uuid4().hex
        span = batch_traces.publishing(self._app.settings.messaging_system, self._queue.name, batch_id, requests)
        with self._lock:
            self._since[batch_id] = time.monotonic()
        return self._pool.submit(self._publish, batch_id, body, span)

    def waiting_seconds(self) -> float:
        """How long the oldest batch has been waiting for its confirm; 0 when none is."""
        with self._lock:
            return time.monotonic() - min(self._since.values()) if self._since else 0.0

    def close(self) -> None:
        """End the threads after what they are publishing."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _publish(self, batch_id: str, body: bytes, span: Span | None) -> None:
        headers = {"id": batch_id, **batch_traces.headers(span)}
        try:
            # A connection that was idle may have been closed by the broker, which only its next use tells.
            if not (self._connected() and self._tried(headers, body)):
                self._once(headers, body)
        except NotConfirmed as error:
            tracing.failed(span, error)
            self._drop()  # the next connection makes what is missing
            raise
        except Exception as error:
            tracing.failed(span, error)
            self._drop()
            raise NotConfirmed(f"the broker did not confirm a batch: {error!r}") from error
        finally:
            with self._lock:
                del self._since[batch_id]
            if span is not None:
                span.end()

    def _tried(self, headers: dict[str, str], body: bytes) -> bool:
        try:
            self._once(headers, body)
        except (ConnectionError, *self._local.connection.connection_errors) as error:
            self._drop()
            if isinstance(error, TimeoutError):
                raise
            return False
        return True

    def _connected(self) -> bool:
        return getattr(self._local, "connection", None) is not None

    def _once(self, headers: dict[str, str], body: bytes) -> None:
        if not self._connected():
            self._local.connection = self._app.connection_for_write()
            self._local.connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=2.0)
            declare(self._local.connection, self._declared, self._app.copies)
        connection = self._local.connection
        channel = connection.default_channel
        returned: list[str] = []

        def note(error: Exception, *_: Any) -> None:
            returned.append(str(error))

        mandatory = {}
        if connection.transport.driver_type != "redis":
            mandatory = {"mandatory": True}
            channel.events["basic_return"] = {note}
        for queue in self._lists or [self._queue]:
            self._app.amqp.Producer(channel, auto_declare=False).publish(
                body,
                exchange=queue.exchange.name,
                routing_key=queue.routing_key,
                headers=headers,
                content_type=CONTENT_TYPE,
                content_encoding="binary",
                delivery_mode=2,
                retry=False,
                confirm_timeout=self._app.settings.publish_timeout_seconds,
                **mandatory,
            )
        if returned:
            raise NotConfirmed(f"no queue takes a batch for {self._queue.name!r}: {returned[0]}")

    def _drop(self) -> None:
        """Let a connection go: after an error, a confirm that still comes would be taken for that of the next batch."""
        connection, self._local.connection = getattr(self._local, "connection", None), None
        if connection is not None:
            connection.collect()
