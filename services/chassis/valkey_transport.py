"""kombu's client of Redis and Valkey, which counts in each message how often it came back, as RabbitMQ does.

A list knows no delivery limit, so a message that kills whoever runs it would be given back for ever. The count is kept in the message, by
the same step that gives it back: because its process died, its worker ended, or its visibility timeout passed.
"""

from typing import Any

from kombu.transport import redis

from chassis.periodic import DELIVERIES


class Channel(redis.Channel):  # type: ignore[misc]
    """kombu's channel."""

    def _do_restore_message(self, payload: Any, *arguments: Any, **options: Any) -> None:
        headers = payload.get("headers")
        if isinstance(headers, dict):
            before = headers.get(DELIVERIES)
            headers[DELIVERIES] = (before if type(before) is int else 0) + 1
        super()._do_restore_message(payload, *arguments, **options)


class Transport(redis.Transport):  # type: ignore[misc]
    """For `redis://` and `rediss://`."""

    Channel = Channel
