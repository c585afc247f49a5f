"""What becomes of a periodic task that does not go well: no run of it is worth more than the next one.

- A tick is dropped when this worker began the same task well less than an interval ago: after an outage the ticks that nobody took come all
  at once. It is judged by this process' own monotonic clock. Ticks have no `expires`, because a worker judges that by the time of day: one
  whose clock is ahead would drop every tick.
- A run that fails of what will pass (a database or a broker that is away or slow) is skipped, not parked: the next one does its work.
  The same holds for a task that its sender sends again until its work is done (`sent_again`).
- A tick that was delivered as often as a command may be started, and never ended, is parked as poison. While that record is open no tick of
  its task runs, or a task that kills its process would take one every few seconds for ever.

Celery's beat marks its messages with the header `celery_beat_task`.
"""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from chassis.errors import Transient

STALE_SHARE = 0.75
"""Of an interval: what comes sooner was sent before, since beat is never so early."""

MAX_DELIVERIES = 5
"""As often as a command is started before it is parked."""

DELIVERIES = "x-delivery-count"
"""The header in which RabbitMQ counts how often a message came back; chassis.valkey writes the same."""


def seconds_of(entry: Mapping[str, Any] | None) -> float | None:
    """The interval of an entry of the beat schedule; None for one that has none, as a crontab has not."""
    schedule: Any = None if entry is None else entry.get("schedule")
    if isinstance(schedule, timedelta):
        return schedule.total_seconds()
    return float(schedule) if isinstance(schedule, int | float) else None


def intervals(beat_schedule: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """By task, the shortest interval at which beat sends it; without tasks that have none."""
    found: dict[str, float] = {}
    for entry in beat_schedule.values():
        seconds = seconds_of(entry)
        if seconds is not None:
            found[entry["task"]] = min(seconds, found.get(entry["task"], seconds))
    return found


class Ticks:
    """Which tick this worker may run. Not for two threads at once."""

    def __init__(self, intervals: Mapping[str, float], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._intervals = intervals
        self._clock = clock
        self._begun: dict[tuple[str, str], float] = {}

    def is_stale(self, task: str, arguments: Any) -> bool:
        """Whether the same was begun a moment ago; if not, it is taken as begun now."""
        interval, now = self._intervals.get(task), self._clock()
        if interval is None:
            return False
        key = (task, repr(arguments))
        if key in self._begun and now - self._begun[key] < interval * STALE_SHARE:
            return True
        self._begun[key] = now
        return False


def is_tick(message: Any) -> bool:
    """Whether beat sent it."""
    return bool((message.headers or {}).get("celery_beat_task"))


def deliveries(message: Any) -> int:
    """How often it was delivered before and came back without an outcome."""
    count = (message.headers or {}).get(DELIVERIES)
    return count if type(count) is int else 0


def is_given_up(database_url: str, task: str) -> bool:
    """Whether a tick of this task was parked as poison and nobody has decided about it. Raises what the database raises."""
    import sqlalchemy as sa

    from chassis.parking import engine_for
    from chassis.tables import parked

    query = sa.select(parked.c.id).where(
        parked.c.status == "parked", parked.c.reason == "poison", parked.c.task == task, parked.c.key.is_(None)
    )
    with engine_for(database_url).begin() as conn:
        return conn.execute(query.limit(1)).first() is not None


def will_pass(error: BaseException) -> bool:
    """Whether another time may go well without anybody doing anything."""
    from amqp.exceptions import AMQPError
    from kombu.exceptions import OperationalError

    from chassis.database_errors import Kind, kind_of

    if isinstance(error, Transient | OperationalError | AMQPError | ConnectionError | TimeoutError):
        return True
    return kind_of(error) is not Kind.FAULT or type(error).__module__.startswith("redis.")
