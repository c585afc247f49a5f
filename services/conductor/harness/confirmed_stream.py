"""Publishes numbered messages with confirms while a broker's nodes die, and counts afterwards which of the confirmed ones are still there.

A capstone's own messages cannot show it, because what the broker loses of an outbox comes due again. The stream publishes each number until
it is confirmed, and never again after that.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import amqp

from conductor.amqp_client import connected
from conductor.errors import DrillFailed, Refused

CONNECT_SECONDS = 2
EVERY_SECONDS = 0.02
RECONNECT_SECONDS = 0.1
EXPIRES_MS = 3_600_000
"""The queue of a stream that nobody closed goes away after this. Longer than any drill, because what is published keeps it no longer."""

READ_SECONDS = 60.0
"""How long the broker may take to give all messages back."""


class ConfirmedStream:
    """One quorum queue of its own, led by the node that `host` names, and a thread that publishes to it: over a connection to that node as
    long as that lasts, and then to the broker's address."""

    def __init__(self, url: str, queue: str, host: str | None = None) -> None:
        """`url` is the broker's, amqp://, with a login that may make the queue. Refused when it is another's; DrillFailed when the queue
        cannot be made."""
        if not url.startswith("amqp://"):
            raise Refused(f"{url.partition(':')[0]} is no RabbitMQ: nobody else confirms what was published")
        self._url, self._queue = url, queue
        self._confirmed: list[int] = []
        self._longest = 0.0
        self._failed = ""
        self._over = threading.Event()
        arguments = {
            "x-queue-type": "quorum",
            "x-queue-leader-locator": "client-local",
            "x-expires": EXPIRES_MS,
        }
        try:
            with self._connected(host) as connection:
                connection.channel().queue_declare(queue, durable=True, auto_delete=False, arguments=arguments)
        except (amqp.AMQPError, OSError) as error:
            raise DrillFailed(
                f"the queue {queue} cannot be made at {host or urlsplit(url).hostname}: {error}"
            ) from error
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._run, args=(host,), name="confirmed stream", daemon=True)
        self._thread.start()

    def close(self) -> dict[str, Any]:
        """Stop, take every message out, and delete the queue.

        Returns how many were `confirmed`, the numbers that are `missing` of them, the `longest` time in seconds without a confirm, and the
        last `error`, which is empty when no connection was cut.
        Raises DrillFailed when nothing was confirmed or the broker does not give the messages back.
        """
        self._over.set()
        self._thread.join()
        if not self._confirmed:
            raise DrillFailed(f"the broker confirmed nothing: {self._failed or 'not one try was over'}")
        found = self._taken()
        missing = sorted(set(self._confirmed) - found)
        return {
            "confirmed": len(self._confirmed),
            "missing": missing,
            "longest": round(self._longest, 2),
            "error": self._failed,
        }

    def _run(self, host: str | None) -> None:
        number = 0
        while not self._over.is_set():
            try:
                with self._connected(host) as connection:
                    channel = connection.channel()
                    while not self._over.wait(EVERY_SECONDS):
                        message = amqp.Message(str(number), delivery_mode=2)
                        # Unroutable, it would be confirmed all the same.
                        channel.basic_publish_confirm(message, routing_key=self._queue, mandatory=True)
                        now = time.monotonic()
                        self._longest, self._last = max(self._longest, now - self._last), now
                        self._confirmed.append(number)
                        number += 1
            except (amqp.AMQPError, OSError) as error:
                self._failed = str(error) or type(error).__name__
                host = None
                self._over.wait(RECONNECT_SECONDS)
        self._longest = max(self._longest, time.monotonic() - self._last)

    def _taken(self) -> set[int]:
        """The numbers in the queue, each taken out; it is deleted afterwards."""
        deadline = time.monotonic() + READ_SECONDS
        found: set[int] = set()
        while True:
            try:
                with self._connected() as connection:
                    channel = connection.channel()
                    while (message := channel.basic_get(self._queue, no_ack=False)) is not None:
                        # A number that is read twice because its acknowledgement was lost is one number.
                        found.add(int(message.body))
                        channel.basic_ack(message.delivery_tag)
                    channel.queue_delete(self._queue)
                return found
            except (amqp.AMQPError, OSError) as error:
                if time.monotonic() > deadline:
                    raise DrillFailed(f"{self._queue} does not give its messages back: {error}") from error
                time.sleep(RECONNECT_SECONDS)

    @contextlib.contextmanager
    def _connected(self, host: str | None = None) -> Iterator[Any]:
        connection = connected(
            self._url,
            host,
            connect_timeout=CONNECT_SECONDS,
            confirm_publish=True,
            client_properties={"connection_name": "confirmed stream"},
        )
        try:
            yield connection
        finally:
            with contextlib.suppress(amqp.AMQPError, OSError):
                connection.close()
