"""kombu's client of Redis and Valkey: counts in each message how often it came back, as RabbitMQ does, and goes by the server's clock.

A list knows no delivery limit, so a message that kills whoever runs it would be given back for ever. The count is kept in the message, by
the same step that gives it back: because its process died, its worker ended, or its visibility timeout passed.

Every worker gives back what any worker has held for longer than the visibility timeout. kombu compares the time of day of two machines for
that: one worker whose clock is ahead would give back all that the others are working on, again and again.
"""

import time
from contextlib import suppress
from typing import Any

from kombu.transport import redis, virtual
from kombu.utils.json import dumps

from chassis.periodic import DELIVERIES

ASK_SECONDS = 10.0
"""How often the server is asked for its time; in between it is reckoned by the monotonic clock."""


class ServersClock:
    """The time of a Redis or Valkey server, unix seconds."""

    def __init__(self) -> None:
        self._asked: float | None = None
        self._ahead = 0.0

    def now(self, client: Any) -> float:
        """The time, from the server that `client` is connected to. Raises what the client raises."""
        mine = time.monotonic()
        if self._asked is None or mine - self._asked > ASK_SECONDS:
            seconds, microseconds = client.time()
            self._asked = mine = time.monotonic()
            self._ahead = seconds + microseconds / 1e6 - mine
        return mine + self._ahead


class QoS(redis.QoS):  # type: ignore[misc]
    """kombu's account of the messages that are delivered and not acknowledged."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._clock = ServersClock()

    def append(self, message: Any, delivery_tag: str) -> None:
        """Write down that a message is held from now on."""
        info = message.delivery_info
        kept = dumps([message._raw, info["exchange"], info["routing_key"]])
        with self.channel.conn_or_acquire() as client:
            pipe = client.pipeline()
            pipe.zadd(self.unacked_index_key, {delivery_tag: self._clock.now(client)})
            pipe.hset(self.unacked_key, delivery_tag, kept)
            pipe.execute()
        virtual.QoS.append(self, message, delivery_tag)

    def restore_visible(self, start: int = 0, num: int | None = 10, interval: int = 10) -> None:
        """Give back what has been held for longer than the visibility timeout; all of it without `num`. Every so many calls."""
        self._vrestore_count += 1
        if (self._vrestore_count - 1) % (interval or 1):
            return
        with self.channel.conn_or_acquire() as client:
            before = self._clock.now(client) - self.visibility_timeout
            with suppress(redis.MutexHeld), redis.Mutex(client, self.unacked_mutex_key, self.unacked_mutex_expire):
                for tag in client.zrange(
                    self.unacked_index_key, before, 0, desc=True, byscore=True, offset=num and start, num=num
                ):
                    self.restore_by_tag(tag, client)


class Channel(redis.Channel):  # type: ignore[misc]
    """kombu's channel."""

    QoS = QoS

    def _do_restore_message(self, payload: Any, *arguments: Any, **options: Any) -> None:
        headers = payload.get("headers")
        if isinstance(headers, dict):
            before = headers.get(DELIVERIES)
            headers[DELIVERIES] = (before if type(before) is int else 0) + 1
        super()._do_restore_message(payload, *arguments, **options)


class Transport(redis.Transport):  # type: ignore[misc]
    """For `redis://` and `rediss://`."""

    Channel = Channel
