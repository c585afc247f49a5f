"""A connection to RabbitMQ on which nothing is waited for without an end.

A broker that is alive need not answer: it may be stopped, or under an alarm. py-amqp's own `read_timeout` changes nothing, because its read
begins again after it; a time-out of the socket itself ends the read.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from kombu.transport import pyamqp

AMQP_PORT = 5672
ANSWER_SECONDS = 5.0


class Connection(pyamqp.Connection):  # type: ignore[misc]
    """py-amqp's, as kombu uses it. Every call raises TimeoutError, an OSError, after ANSWER_SECONDS without an answer."""

    def connect(self, callback: Any = None) -> Any:
        """As py-amqp's."""
        answer = super().connect(callback)
        self.sock.settimeout(ANSWER_SECONDS)
        return answer


def connected(url: str, host: str | None = None, **options: Any) -> Connection:
    """A connection to the broker of an amqp:// URL, or to its node `host`; `options` are py-amqp's. Raises AMQPError and OSError.

    What the URL leaves out is RabbitMQ's default.
    """
    parts = urlsplit(url)
    connection = Connection(
        f"{host or parts.hostname}:{parts.port or AMQP_PORT}",
        userid=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        virtual_host=unquote(parts.path[1:]) or "/",
        **options,
    )
    connection.connect()
    return connection


class Transport(pyamqp.Transport):  # type: ignore[misc]
    """For kombu's `Connection(url, transport=Transport)`."""

    Connection = Connection
