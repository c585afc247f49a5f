"""The broker's side of a service: one exchange, one queue a pool, one dead-letter queue a pool. Data, and how to declare it.

RabbitMQ: topic exchange `<service>`; quorum queues, because a mirrored or single classic queue loses what a failing node held;
a dead-letter exchange `<service>.dead` that is fed at least once. The delivery limit is only the backstop: it also counts the
deliveries of a harmless task whose workers were killed, so poison is told from bad luck elsewhere, by attempts in the database; what is no
outbox command has none, and is parked by the worker after fewer deliveries (chassis.periodic).
Redis and Valkey: plain lists named like the queues, written without an exchange, since an exchange there is a key that a flush
loses, after which messages vanish without an error. They have no dead letters; what would go there is parked in the database.
Sources: https://www.rabbitmq.com/docs/quorum-queues, https://www.rabbitmq.com/docs/dlx.
"""

import re
from collections.abc import Mapping, Sequence

from amqp.exceptions import AccessRefused, NotFound, PreconditionFailed
from kombu import Connection, Exchange, Queue, binding

from chassis.errors import ChassisError
from chassis.loggers import get_logger
from chassis.permissions import told

log = get_logger(__name__)

DELIVERY_LIMIT = 20
"""Deliveries after which RabbitMQ gives a message up; the default of 4.x, set explicitly for 3.10, which has none."""

# The queue of dead letters must not drop what is read and put back while the database is away. RabbitMQ 4 would say -1, 3.10
# refuses that.
_DEAD_DELIVERY_LIMIT = 1_000_000

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


class TopologyMismatch(ChassisError):
    """A queue or exchange exists with other arguments; only a person may delete what may hold messages."""


class NotPermitted(ChassisError):
    """The broker's user lacks a permission that is named, and what it is needed for is not there."""


def dead_queue_name(queue: str) -> str:
    """Where RabbitMQ puts what it gave up delivering from `queue`."""
    return f"{queue}.dead"


def work_queue(queue: str, *, redis: bool, copies_of: Sequence[str] = ()) -> Queue:
    """The queue of a pool, named `service.pool`.

    On RabbitMQ what is published to one of `copies_of`, queues of the same service, reaches this one as well: the exchange routes it to
    both, and confirms it once both have it. Redis has no exchange; chassis.batch_publisher writes to each list there.
    """
    if not _NAME.fullmatch(queue):
        raise ValueError(f"queue {queue!r} is not named service.pool in lower case")
    service = queue.partition(".")[0]
    if redis:
        return Queue(queue, Exchange(""), routing_key=queue)
    exchange = Exchange(service, type="topic", durable=True)
    return Queue(
        queue,
        exchange,
        routing_key=queue,
        bindings=[binding(exchange, routing_key=source) for source in copies_of],
        durable=True,
        queue_arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": f"{service}.dead",
            "x-dead-letter-routing-key": queue,
            # At least once needs reject-publish: the queue may refuse a publisher (who keeps the message), never drop its head.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )


def dead_queue(queue: str) -> Queue:
    """The dead-letter queue of a pool on RabbitMQ; nothing consumes it but the collector."""
    return Queue(
        dead_queue_name(queue),
        Exchange(f"{queue.partition('.')[0]}.dead", type="topic", durable=True),
        routing_key=queue,
        durable=True,
        queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": _DEAD_DELIVERY_LIMIT},
    )


def declare(
    connection: Connection, queues: Sequence[str], copies: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """Make every exchange and queue that is missing; the names of all queues that now exist. Safe to repeat.

    `copies` has, by queue, the queues whose messages it gets as well.

    Raises TopologyMismatch when one exists with other arguments, NotPermitted when one is missing and the user may not make it, and
    the transport's own error when the broker is away. What exists and may not be declared is taken as it is, with a warning.
    """
    redis = connection.transport.driver_type == "redis"
    wanted = [work_queue(name, redis=redis, copies_of=(copies or {}).get(name, ())) for name in queues]
    if not redis:
        wanted += [dead_queue(name) for name in queues]
    for queue in wanted:
        _declare_one(connection, queue)
    return [queue.name for queue in wanted]


def _declare_one(connection: Connection, queue: Queue) -> None:
    try:
        with connection.channel() as channel:
            queue(channel).declare()
    except PreconditionFailed as error:
        raise TopologyMismatch(
            f"queue {queue.name!r} exists with other arguments ({error.reply_text}); drain it, delete it, and declare again"
        ) from error
    except AccessRefused as error:
        if not _exists(connection, queue):
            raise NotPermitted(f"queue {queue.name!r} cannot be declared: {told(error)}") from error
        # Somebody else declares what this user may not; it is used as it is found.
        log.warning("not_declared", queue=queue.name, reason=told(error))


def _exists(connection: Connection, queue: Queue) -> bool:
    """Whether queue and exchange are there; asking needs no permission."""
    try:
        with connection.channel() as channel:
            channel.exchange_declare(queue.exchange.name, queue.exchange.type, passive=True)
            channel.queue_declare(queue.name, passive=True)
    except (NotFound, AccessRefused):
        return False
    return True
