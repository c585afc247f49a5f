"""The worker's heartbeat: a boot step that looks four times a second at what the worker is really doing, and writes it down.

The tick itself matters too: an idle event loop on RabbitMQ sleeps for seconds, and with it a SIGTERM; a timer that is due every
0.25 s wakes it.
"""

import os
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from celery import bootsteps, signals
from celery.concurrency.solo import TaskPool as Solo
from celery.worker import state as requests

from chassis import health, heartbeat
from chassis.companion import CompanionStep
from chassis.heartbeat import Heartbeat

TICK_SECONDS = 0.25

MARGIN_SECONDS = 10.0
"""What a task gets beyond its hard limit: to be killed by its pool, and to be reported."""

_SILENT_SECONDS = 40.0
"""How long a Redis consumer that waits for messages may go without asking: kombu asks every second, and drops a connection that
does not answer within about 21 s."""


class Deadlines:
    """When each task that a worker holds will be past its hard limit. Time is an argument."""

    def __init__(self) -> None:
        self._started: dict[Hashable, tuple[bool, float]] = {}

    def earliest(self, held: Iterable[tuple[Hashable, bool, float]], now: float) -> float | None:
        """The first deadline among tasks `(task, begun, limit_seconds)`; None when there is none.

        A task that is delivered again under its old id is another one. One that was handed to a child but not begun counts too, from when
        it was first seen: its child may hang.
        """
        before, self._started = self._started, {}
        first = None
        for task, begun, limit_seconds in held:
            seen = before.get(task)
            since = seen[1] if seen is not None and seen[0] == begun else now
            self._started[task] = (begun, since)
            deadline = since + limit_seconds + MARGIN_SECONDS
            first = deadline if first is None else min(first, deadline)
        return first


def unconsumed(consumer: Any, expected: frozenset[str], now: float, held: int = 0) -> list[str]:
    """The queues that nothing is consumed from although the broker connection is there. Sorted; empty when all is well."""
    task_consumer = consumer.task_consumer
    channel = task_consumer.channel
    # py-amqp drops the callback of a tag that the server cancelled; kombu's virtual channels keep a set of tags.
    live = channel.callbacks if hasattr(channel, "callbacks") else channel._consumers
    tags = task_consumer._active_tags
    asked_at = getattr(channel, "_brpop_sent_at", None)
    if asked_at is not None and now - asked_at > _SILENT_SECONDS and not held:
        return sorted(expected)
    return sorted(queue for queue in expected if tags.get(queue) not in live)


class WorkerHeartbeat(bootsteps.StartStopStep):  # type: ignore[misc]
    """Writes the heartbeat of a worker."""

    requires = ("celery.worker.components:Timer", CompanionStep)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        settings = worker.app.settings
        worker.worker_heartbeat = self
        self.paused = False
        self.standby = settings.consumers_paused
        self._worker = worker
        self._pid = os.getpid()
        self._heartbeat = Heartbeat(settings.heartbeat_file, "worker")
        self.expected = frozenset(worker.app.amqp.queues.consume_from)
        if self.standby:
            worker.app.amqp.queues.deselect(self.expected)
        self._deadlines = Deadlines()
        self._deadline: float | None = None
        self._draining = False
        self._blocking = False
        self._heartbeat.show(heartbeat.STARTING)

    def start(self, worker: Any) -> None:
        """Begin to tick, and to answer probes; before the broker is reached, which may take long."""
        companion = worker.companion
        health.serve(worker.app.settings, also=companion.metrics if companion is not None else lambda: b"")
        self._blocking = isinstance(worker.pool, Solo)
        if self._blocking:
            signals.task_prerun.connect(self.before_task, weak=False)
        signals.worker_shutting_down.connect(self.drain, weak=False)
        worker.timer.call_repeatedly(TICK_SECONDS, self.tick)

    def tick(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Look and write."""
        now = clock()
        self._deadline = self._deadlines.earliest(self._held(), now)
        state, detail = self.look(now)
        self._show(*self._with_companion(state, detail, now))

    def unreachable(self, why: str = "") -> None:
        """The worker is waiting for its broker, if known why; called while its loop cannot tick.

        Nor can it read what its children answer: a task that ended long ago still looks as if it ran. So no hard limit is judged, and each
        task that is still there when the loop turns again counts anew.
        """
        self._deadlines, self._deadline = Deadlines(), None
        if self._draining:
            self._show(heartbeat.DRAINING, why)
        else:
            self._show(*self._with_companion(heartbeat.UNREACHABLE, why, time.monotonic()))

    @property
    def held(self) -> int:
        """Number of messages that the worker has not acknowledged."""
        batches = getattr(getattr(self._worker, "consumer", None), "batches", None)
        return len(requests.reserved_requests) + (batches.held if batches is not None else 0)

    def before_task(self, task: Any = None, **_: Any) -> None:
        """A task is about to block the loop of a solo worker."""
        limit = (task.request.timelimit or (None,))[0] or task.time_limit or self._worker.time_limit
        # A second task within the second in which a record counts as fresh keeps the record of the first; hence the second more.
        self._deadline = time.monotonic() + limit + MARGIN_SECONDS + heartbeat.REWRITE_SECONDS
        self._show(heartbeat.BUSY)

    def drain(self, **_: Any) -> None:
        """SIGTERM came; runs in the signal handler."""
        if os.getpid() == self._pid:
            self._draining = True
            self._show(heartbeat.DRAINING)
            # An interrupted poll is resumed, so the loop would notice at the next tick only.
            waker = getattr(self._worker.hub, "_waker", None)
            if waker is not None:
                waker.wake()

    def _with_companion(self, state: str, detail: str, now: float) -> tuple[str, str]:
        """The state of a worker that owns something besides its consumer, as far as that changes it."""
        companion = getattr(self._worker, "companion", None)
        if companion is None or state == heartbeat.DRAINING:
            return state, detail
        if trouble := companion.trouble(now):
            return heartbeat.DEGRADED, trouble
        if state == heartbeat.UNREACHABLE and companion.settings.serves_without_broker:
            return heartbeat.SERVING, detail or "the broker is away"
        return state, detail

    def _show(self, state: str, detail: str = "") -> None:
        companion = getattr(self._worker, "companion", None)
        patient = heartbeat.PATIENCE_SECONDS
        if companion is not None and state == heartbeat.DEGRADED:
            patient = companion.settings.patience_seconds
        self._heartbeat.show(
            state,
            detail,
            deadline=self._deadline,
            blocking=self._blocking,
            held=self.held,
            patience_seconds=patient,
        )

    def _held(self) -> list[tuple[Hashable, bool, float]]:
        default = self._worker.time_limit
        active = requests.active_requests
        return [
            (request, request in active, request.time_limits[0] or request.task.time_limit or default)
            for request in tuple(requests.reserved_requests)
        ]

    @property
    def _idle_by_will(self) -> str | None:
        if self.standby:
            return heartbeat.STANDBY
        return heartbeat.PAUSED if self.paused else None

    def look(self, now: float) -> tuple[str, str]:
        """The worker's state, and what it is about."""
        consumer = getattr(self._worker, "consumer", None)
        if self._draining:
            return heartbeat.DRAINING, ""
        if consumer is None or consumer.connection is None or consumer.task_consumer is None:
            return heartbeat.UNREACHABLE, ""
        batches, held = getattr(consumer, "batches", None), self.held
        if batches is not None and batches.trouble:
            return self._idle_by_will or heartbeat.STALLED, batches.trouble
        missing = unconsumed(consumer, self.expected, now, held)
        if missing and not (batches is not None and batches.withholding):
            return self._idle_by_will or heartbeat.CANCELLED, ", ".join(missing)
        busy = self._deadline is not None or (batches is not None and held)
        return (heartbeat.BUSY if busy else heartbeat.IDLE), ""
