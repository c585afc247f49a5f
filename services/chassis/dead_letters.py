"""Empties the broker's dead-letter queues into the table of what is parked, where a person can see it and run it again.

Run it now and then by a periodic task, never as a consumer: a collector that fails must not keep a message from anyone.
A message is acknowledged after the commit that holds it; a death in between parks it twice at most, and the second finds the first.
"""

from typing import Any

from chassis.app import ChassisApp
from chassis.message_checks import Fault
from chassis.parking import park_entry, park_message
from chassis.queues import dead_queue, dead_queue_name

_DEATH = {"reason": "unknown reason", "queue": "?", "count": "?"}

MAX_WHY = 1000


def collect_dead_letters(app: ChassisApp, *, limit: int = 1000) -> int:
    """Park at most `limit` dead letters; how many. Raises what database or broker raise."""
    with app.connection_for_write() as connection:
        collect = _from_lists if app.settings.broker_is_redis else _from_queues
        return collect(app, connection, limit)


def _from_queues(app: ChassisApp, connection: Any, limit: int) -> int:
    collected = 0
    for queue in app.service_queues:
        bound = dead_queue(queue)(connection.channel())
        bound.declare()
        while collected < limit and (message := bound.get()) is not None:
            found = Fault("dead_letter", _why(message))
            park_message(app.settings.database_url, message, queue=queue, found=found, actor="collector")
            message.ack()
            collected += 1
    return collected


def _from_lists(app: ChassisApp, connection: Any, limit: int) -> int:
    collected = 0
    for queue in app.service_queues:
        name = dead_queue_name(queue)
        with connection.default_channel.conn_or_acquire() as client:
            while collected < limit and (entry := client.lindex(name, -1)) is not None:
                raw = entry if isinstance(entry, bytes) else entry.encode()
                park_entry(app.settings.database_url, raw, queue=queue)
                client.lrem(name, -1, entry)
                collected += 1
    return collected


def _why(message: Any) -> str:
    """What RabbitMQ says about the death: `delivery_limit` after too many deliveries, `rejected`, `expired`, `maxlen`."""
    deaths = message.headers.get("x-death") if isinstance(message.headers, dict) else None
    first = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    reason, queue, count = (first.get(name, unknown) for name, unknown in _DEATH.items())
    return f"{reason} in {queue}, {count} times"[:MAX_WHY]
