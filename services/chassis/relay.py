"""The relay publishes what is due. `python -m chassis.relay orders.app` runs one; several may run side by side.

A row that was published is due again one lease later unless its outcome was recorded: so the loop that publishes new commands is also the
sweeper that re-issues what a broker lost, and a delayed retry is nothing but a later `due_at`. The mark is committed before the message
goes out, because a worker that is faster than the commit would find the row locked; a relay that dies in between costs one lease.

At most `messages` of a queue are under way at a time: while a pool is busy its commands gather in the table and then leave as full
batches, so batches grow with the load, and a broker holds little that it could lose. Below that load they gather for a moment: after a
queue was sent all that was due, it is sent nothing for `gather_seconds`. The first command after a quiet time goes at once.

A broker that is alive need not answer, and may refuse one queue while it takes the others. So a queue whose message was not taken is
held for a time, which doubles with every failure in a row; the other queues go on, and pay for each try what a publication may take.
What may happen twice: a publication. Workers tell repeats apart by the row.
"""

import contextlib
import importlib
import signal
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from time import monotonic, time
from typing import Any, Protocol

import sqlalchemy as sa
from celery import Celery
from kombu.exceptions import OperationalError as BrokerError

from chassis import due_commands, health, logs, metric_files, metrics, sending, tracing
from chassis.database_errors import ERRORS, reason
from chassis.errors import ChassisError
from chassis.gc_paused import gc_paused
from chassis.holds import Holds
from chassis.loggers import get_logger
from chassis.permissions import told
from chassis.settings import ServiceSettings
from chassis.watermarks import Watermarks

log = get_logger(__name__)

# After so many rounds that found nothing the relay looks less often: an order under way is answered at once, an idle platform costs little.
_EAGER_ROUNDS = 100
_IDLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message to be: outbox ids of one task."""

    task: str
    queue: str
    ids: tuple[int, ...]
    traceparents: tuple[str, ...] = ()
    """Of the commands that have one."""


def envelopes(rows: Sequence[Any], batch: Mapping[str, int], default: int) -> Iterator[Envelope]:
    """Group rows (id, task, queue, traceparent, …) by task into messages of at most `batch[task]` ids, in the order given."""
    groups: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        groups.setdefault((row.task, row.queue), []).append(row)
    for (task, queue), together in groups.items():
        size = batch.get(task, default)
        for start in range(0, len(together), size):
            one = together[start : start + size]
            traceparents = tuple(row.traceparent for row in one if row.traceparent)
            yield Envelope(task, queue, tuple(row.id for row in one), traceparents)


class RelayHeartbeat(Protocol):
    """Is told at least once a round that the loop is alive, whether the broker answered, and else what is waited for."""

    def beat(self, *, broker_ok: bool, detail: str = "") -> None: ...


class Relay:
    """Publishes due commands of one service."""

    def __init__(
        self,
        engine: sa.Engine,
        app: Celery,
        *,
        exchange: str,
        declare: Callable[[], object],
        batch: Mapping[str, int],
        default_batch: int = 20,
        lease_seconds: float = 30.0,
        interval_seconds: float = 0.02,
        messages: int = 8,
        gather_seconds: float = 0.0,
        heartbeat: RelayHeartbeat | None = None,
    ) -> None:
        """`declare` makes the topology anew (after a broker lost it); `batch` caps ids a message by task name.

        `messages` is about twice the processes of the largest pool: enough to keep them busy, few enough to fill the batches.
        `gather_seconds` is what a command may wait for others that share its message; 0 sends each as soon as it is seen.
        """
        self._engine = engine
        self._app = app
        connection = app.connection_for_write()
        self._broker_errors = (*connection.connection_errors, *connection.channel_errors)
        self._exchange = exchange
        self._declare = declare
        self._batch = batch
        self._default_batch = default_batch
        self._lease_seconds = lease_seconds
        self._interval_seconds = interval_seconds
        self._messages = messages
        self._gather_seconds = gather_seconds
        # Until when (monotonic) the commands of a queue gather.
        self._gathering: dict[str, float] = {}
        # The ids of every message of ours whose outcome is awaited, by queue. Lost with the process, which costs some small batches.
        self._under_way: dict[str, list[tuple[int, ...]]] = {}
        self._holds = Holds()
        # What is waited for; empty when the last round found nothing wrong.
        self._waits_for = ""
        # Something is wrong with the broker's queues or exchanges, so far as anybody knows.
        self._doubted = False
        self._watermarks = Watermarks(queue.name for queue in app.conf.task_queues or ())
        self._heartbeat = heartbeat
        # Not an Event: its `set` in a signal handler waits for a lock that the `wait` it interrupted may hold, and so for ever.
        self._stopped = False
        self._woken: SimpleQueue[None] = SimpleQueue()

    def round(self) -> int:
        """Publish what is due now and has room; how many commands went out. Raises BrokerError after giving back what did not."""
        began = monotonic()
        sent = self._round()
        metrics.observe(metrics.ROUND_SECONDS, monotonic() - began)
        metrics.show(metrics.ROUND_AT, time())
        return sent

    def _round(self) -> int:
        with self._engine.begin() as conn:
            began = monotonic()
            moment = due_commands.begin(conn)
            full = self._watermarks.is_full(began)
            queues = due_commands.queues(conn) if full else self._watermarks.queues()
            rooms = self._rooms(conn, queues)
            floors = self._watermarks.of(rooms, full=full)
            rows = due_commands.issue(conn, rooms, floors, lease_seconds=self._lease_seconds) if rooms else []
            if full:
                self._watermarks.looked(began, monotonic())
        taken: dict[str, list[datetime]] = {}
        for row in rows:
            taken.setdefault(row.queue, []).append(row.was_due)
        self._watermarks.raise_to(moment, queues, rooms, taken)
        oldest = min((due for dues in taken.values() for due in dues), default=moment)
        metrics.show(metrics.OLDEST_DUE, (moment - oldest).total_seconds())
        if not rows:
            return 0
        self._let_gather(rooms, rows)
        again = sum(row.issued > 1 for row in rows)
        unsent = {row.id for row in rows}
        try:
            if again:
                log.info("reissued", commands=again)
                for queue, commands in Counter(row.queue for row in rows if row.issued > 1).items():
                    metrics.count(metrics.REISSUED, queue, by=commands)
            if again or self._doubted:
                self._declare()
            with self._app.producer_or_acquire() as producer:
                _ = producer.channel  # connects, or fails for no queue's fault
                for envelope in envelopes(rows, self._batch, self._default_batch):
                    if self._stopped:
                        break
                    self._publish(producer, envelope)
                    metrics.count(metrics.PUBLISHED, envelope.queue, by=len(envelope.ids))
                    self._under_way.setdefault(envelope.queue, []).append(envelope.ids)
                    unsent.difference_update(envelope.ids)
                    self._beat(broker_ok=True)
        except (BrokerError, ChassisError, *self._broker_errors) as error:
            # An exchange that is gone closes the channel and not the connection; nothing declares it anew by itself.
            self._doubted = True
            self._give_back(unsent, after_seconds=0.5)
            raise BrokerError(told(error)) from error
        self._give_back(unsent)  # of a relay that ends
        self._doubted = False
        return len(rows) - len(unsent)

    def _give_back(self, ids: Collection[int], *, after_seconds: float = 0.0) -> None:
        if ids:
            with self._engine.begin() as conn:
                due_commands.give_back(conn, ids, after_seconds=after_seconds)

    def _rooms(self, conn: sa.Connection, queues: Sequence[str]) -> dict[str, int]:
        """How many commands each of these queues may be sent now."""
        ids = [i for sent in self._under_way.values() for envelope in sent for i in envelope]
        awaited = due_commands.awaited(conn, ids)
        self._under_way = {
            queue: left
            for queue, sent in self._under_way.items()
            if (left := [e for e in sent if not awaited.isdisjoint(e)])
        }
        size = max(self._batch.values(), default=self._default_batch)
        free = {queue: self._messages - len(self._under_way.get(queue, ())) for queue in queues}
        now = monotonic()
        return {
            queue: messages * size
            for queue, messages in free.items()
            if messages > 0 and now >= self._gathering.get(queue, now) and not self._holds.holds(queue, now)
        }

    def _let_gather(self, rooms: Mapping[str, int], rows: Sequence[Any]) -> None:
        taken = Counter(row.queue for row in rows)
        until = monotonic() + self._gather_seconds
        # A queue that has more than there was room for is behind: what it waits for is room.
        self._gathering |= {queue: until for queue, count in taken.items() if count < rooms[queue]}

    def _publish(self, producer: Any, envelope: Envelope) -> None:
        began = monotonic()
        try:
            # The app opens the span of the message; only its commands say whether it is recorded.
            with sending.of_commands(envelope.traceparents):
                self._app.send_task(
                    envelope.task,
                    kwargs={"v": 1, "ids": list(envelope.ids)},
                    task_id=str(uuid.uuid4()),
                    exchange=self._exchange,
                    routing_key=envelope.queue,
                    producer=producer,
                    retry=False,
                )
        except Exception:
            now = monotonic()
            self._holds.refused(envelope.queue, now, took_seconds=now - began)
            raise
        self._holds.taken(envelope.queue)

    def _beat(self, *, broker_ok: bool) -> None:
        if self._heartbeat is not None:
            self._heartbeat.beat(broker_ok=broker_ok, detail=self._waits_for)

    def run(self) -> None:
        """Publish until `stop`; an unreachable broker or database is waited for, with a log line when it goes and when it comes back."""
        down: str | None = None
        empty = 0
        while not self._stopped:
            wait = self._interval_seconds if empty < _EAGER_ROUNDS else max(self._interval_seconds, _IDLE_SECONDS)
            try:
                sent = self.round()
                empty = 0 if sent else empty + 1
                if down and not (down == "broker" and self._holds.queues() and not sent):
                    log.info("relay_resumed", after=down)
                    down, self._waits_for = None, ""
            except (BrokerError, *ERRORS) as error:
                name = "database" if isinstance(error, ERRORS) else "broker"
                self._waits_for = f"{name}: {reason(error)}"
                if down != name:
                    log.warning("relay_waits", on=name, error=reason(error), held=self._holds.queues())
                down, wait = name, 0.5
            self._beat(broker_ok=down != "broker")
            with contextlib.suppress(Empty):
                self._woken.get(timeout=wait)

    def stop(self) -> None:
        """Finish the round and leave `run`; callable from a signal handler."""
        self._stopped = True
        self._woken.put(None)


def main(argv: list[str]) -> int:
    """Run the relay of the service named by its app module until SIGTERM or SIGINT."""
    with gc_paused():
        service = importlib.import_module(argv[1])
        settings: ServiceSettings = service.SETTINGS()
        name = argv[1].partition(".")[0]
        logs.configure(settings, name)
        tracing.start(settings, name)
        if metrics.wanted(settings):
            metric_files.prepare(settings)
        metrics.start(settings)
        health.serve(settings)
        relay: Relay = service.make_relay()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: relay.stop())
    relay.run()
    tracing.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
