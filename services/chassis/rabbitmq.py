"""The client of RabbitMQ as every process of a service uses it: nothing waits for an answer without an end.

A broker that is alive need not answer: under a memory or disk alarm it reads nothing from a connection that published, and one whose
process is stopped keeps its sockets open. py-amqp limits the wait for a connection and for a confirm only; it waits for every other answer
(a channel opened or closed, a queue declared, a consumer cancelled) for ever, and its `read_timeout` changes nothing, because its read
begins again after it. Source: py-amqp 5.3, `AbstractChannel.wait`, `TCPTransport._read`.
"""

from typing import Any

from kombu.transport import pyamqp

ANSWER_SECONDS = 5.0
"""How long an answer may take where the transport option `answer_seconds` does not say."""


class _Impatient:
    """A channel or a connection that gives up on an answer, and on its connection with it.

    The answer may still come, and would be taken for that to a later question. So the socket is closed without a goodbye, for which
    there would be no answer either.
    """

    connection: Any

    def wait(self, method: Any, callback: Any = None, timeout: float | None = None, returns_tuple: bool = False) -> Any:
        """As py-amqp's. Raises TimeoutError, which kombu and Celery take for a lost connection."""
        connection = self.connection
        seconds = timeout or getattr(connection, "answer_seconds", ANSWER_SECONDS)
        try:
            return super().wait(method, callback, seconds, returns_tuple)  # type: ignore[misc]
        except TimeoutError as error:
            if connection is not None:
                connection.collect()
            raise TimeoutError(f"RabbitMQ is connected and did not answer within {seconds:g} s") from error


class Channel(_Impatient, pyamqp.Channel):  # type: ignore[misc]
    """kombu's channel; see `_Impatient`."""


class Connection(_Impatient, pyamqp.Connection):  # type: ignore[misc]
    """kombu's connection; see `_Impatient`."""

    Channel = Channel

    def __init__(self, *args: Any, answer_seconds: float = ANSWER_SECONDS, **options: Any) -> None:
        self.answer_seconds = answer_seconds
        super().__init__(*args, **options)


class Transport(pyamqp.Transport):  # type: ignore[misc]
    """For `amqp://`."""

    Connection = Connection


class SSLTransport(pyamqp.SSLTransport):  # type: ignore[misc]
    """For `amqps://`."""

    Connection = Connection
