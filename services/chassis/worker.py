"""The worker of the chassis: refuses to start without limits, keeps what it cannot run, waits patiently for its broker.

Named by `ChassisApp.Worker` and by the setting `worker_consumer`, so only worker processes import it.
"""

import contextlib
import gc
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from amqp.exceptions import AccessRefused
from celery.apps import worker as celery_worker
from celery.apps.worker import Worker as CeleryWorker
from celery.utils import log as celery_log
from celery.worker import state as requests
from celery.worker.consumer import Consumer as CeleryConsumer
from vine import promise

from chassis import amqp_properties, envelope, instruments, logs, message_checks, pause, periodic, tracing
from chassis.batch_consumer import BatchConsumer
from chassis.companion import CompanionStep
from chassis.loggers import get_logger
from chassis.message_checks import Fault
from chassis.permissions import told
from chassis.queues import declare
from chassis.startup_checks import check_startup
from chassis.worker_heartbeat import WorkerHeartbeat

log = get_logger(__name__)
celery_logger = celery_log.get_logger(__name__)

CONTROL = (pause.pause, pause.stand_by, pause.resume, pause.consumption)
"""Importing them registers them with Celery's remote control."""

REFUSED_SECONDS = 3.0
"""How long a worker waits that lacks a permission at the broker; as long as between two tries at one that is away."""

PARK_AGAIN_SECONDS = 5.0
"""How long a message that could not be parked is held before the next try."""


def _say(text: str, file: Any = None) -> None:
    """What Celery says in a signal handler, as a log line; no lock is taken there, and a line that cannot be written is lost."""
    line = json.dumps(
        {"event": text, "level": "info", "timestamp": datetime.fromtimestamp(tracing.now() / 1e9, UTC).isoformat()}
    )
    with contextlib.suppress(OSError):
        os.write(2, f"{line}\n".encode())


class Worker(CeleryWorker):  # type: ignore[misc]
    """Celery's worker with the chassis' steps. Ends with a message when it was started without what production needs."""

    def on_before_init(self, **options: Any) -> None:
        """Write log lines from the first word on: Celery warns before it configures its logs."""
        logs.configure(self.app.settings, self.app.main)
        celery_worker.safe_say = _say
        super().on_before_init(**options)

    def emit_banner(self) -> None:
        """One line instead of forty."""
        queues = sorted(self.app.amqp.queues.consume_from)
        log.info("worker_starts", pool_kind=self._pool(), concurrency=self.concurrency, queues=queues)

    def _pool(self) -> str:
        return str(getattr(self.pool_cls, "__module__", self.pool_cls)).rpartition(".")[2]

    def setup_defaults(self, **options: Any) -> None:
        """Take the command line, and refuse it when it leaves out what must be explicit."""
        super().setup_defaults(**options)
        check_startup(self, options)
        pool = self._pool()
        if pool == "solo":
            # A solo worker sends no heartbeats while a task runs; RabbitMQ must not take that for death.
            conf = self.app.conf
            conf.broker_heartbeat = conf.broker_heartbeat and max(conf.broker_heartbeat, int(2 * self.time_limit))
        instruments.install(self.app, forks=pool in ("prefork", "processes"))
        self.app.steps["worker"].update((CompanionStep, WorkerHeartbeat))

    def _process_task(self, req: Any) -> None:
        """Hand a task to a process. What cannot be handed over gives its place back, and is parked."""
        try:
            super()._process_task(req)
        except self.consumer.lost:
            raise
        except Exception as error:  # noqa: BLE001 - it may come out of the loop that reads answers, and would end the worker
            requests.task_ready(req)
            with contextlib.suppress(AttributeError):  # a pool whose places are not counted
                self._quick_release()
            found = Fault("malformed", f"cannot be handed to a process: {error!r}", message_only=True)
            self.consumer.park(req.message, found)

    def start(self) -> None:
        """Run until told to stop."""
        # What was imported lives as long as the process: out of the collector's sight it is neither copied by children that
        # only count references, nor searched for garbage once more while a drained worker tries to end.
        gc.freeze()
        super().start()


def given_up(message: Any) -> Fault | None:
    """Why a message is not to be run once more; None when it may be. The starts of outbox commands are counted in their rows."""
    count = periodic.deliveries(message)
    if count < periodic.MAX_DELIVERIES or "ids" in (message_checks.contents(message) or {}):
        return None
    return Fault("poison", f"delivered {count} times without an outcome")


class Consumer(CeleryConsumer):  # type: ignore[misc]
    """Celery's consumer without its chatter between workers, and with a place for every message it cannot run."""

    batches: BatchConsumer | None = None
    """What consumes instead of Celery's handler, where the queue is one of batches."""

    class Blueprint(CeleryConsumer.Blueprint):  # type: ignore[misc]
        """No delayed delivery: it would declare 28 queues for delays that live in the database."""

        default_steps = tuple(
            step.replace("celery.worker.consumer.control:", "chassis.remote_control:")
            for step in CeleryConsumer.Blueprint.default_steps
            if not step.endswith(":DelayedDelivery")
        )

    def __init__(self, *args: Any, worker_options: dict[str, Any] | None = None, **options: Any) -> None:
        quiet = {"without_mingle": True, "without_gossip": True, "without_heartbeat": True}
        super().__init__(*args, worker_options={**(worker_options or {}), **quiet}, **options)
        self.ticks = periodic.Ticks(periodic.intervals(self.app.conf.beat_schedule))
        for name in self.controller.worker_heartbeat.expected & self.app.batch_queues.keys():
            self.batches = BatchConsumer(self, name, self.app.batch_queues[name])
            self.initial_prefetch_count = 1  # the batch consumer asks for more when it is safe

    def connect(self) -> Any:
        """Connect, and make what is missing of the topology. Raises TopologyMismatch, which ends the worker."""
        connection = super().connect()
        if self.batches is not None:
            self.batches.connected()
        declare(connection, sorted(self.controller.worker_heartbeat.expected), self.app.copies)
        if self.app.settings.broker_is_redis:
            from chassis.valkey import keep_unreadable

            keep_unreadable(connection.default_channel)
        else:
            amqp_properties.read_any()
        return connection

    def ensure_connected(self, conn: Any) -> Any:
        """Try until the broker answers, at most 3 s apart, and say meanwhile that it does not."""
        attempt: Callable[..., Any] = conn.ensure_connection
        heartbeat = self.controller.worker_heartbeat

        def patiently(errback: Any, max_retries: Any, callback: Callable[[], None]) -> Any:
            def between_tries() -> None:
                callback()
                heartbeat.unreachable()

            return attempt(
                errback, max_retries, interval_start=0.5, interval_step=0.5, interval_max=3.0, callback=between_tries
            )

        conn.ensure_connection = patiently
        return super().ensure_connected(conn)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Let the lost connection go, whatever state it is in; the new one is made next.

        With a message unacknowledged, kombu wants to give it back over the Redis connection that it has half taken apart already,
        and fails with an AttributeError (kombu 5.7.0, Channel.close after Connection.collect), which would end the worker.
        The message comes again by itself.
        """
        if self.batches is not None:
            self.batches.lost()
        if isinstance(exc, AccessRefused):
            # Celery takes it for a lost connection, and would try again several times a second until a person grants the permission.
            why = told(exc)
            log.error("access_refused", reason=why)
            self.controller.worker_heartbeat.unreachable(why)
            time.sleep(REFUSED_SECONDS)
        try:
            super().on_connection_error_after_connected(exc)
        except (AttributeError, *self.connection_errors, *self.channel_errors) as error:
            log.warning("lost_connection_not_closed", error=repr(error))

    def stop(self) -> None:
        """End consuming; batches that are held are flushed first, because their acknowledgement needs the connection."""
        if self.batches is not None and self.connection is not None:
            self.batches.drain()
        super().stop()

    def add_task_queue(self, queue: str, *args: Any, **options: Any) -> None:
        """Consume from a queue; one of batches decides itself when, and with which prefetch count."""
        if self.batches is None:
            super().add_task_queue(queue, *args, **options)
        else:
            self.batches.take()

    def consume_queue(self, queue: str) -> None:
        """Consume from a queue now."""
        super().add_task_queue(queue)

    def create_task_handler(self, promise: Any = promise) -> Callable[[Any], None]:
        """Celery's handler, behind the gate: it is handed judged messages only, and of them what was judged. A batch queue has its own."""
        if self.batches is not None:
            return self.batches.on_message
        run = super().create_task_handler(promise)
        tasks = self.app.tasks
        limits = (self.controller.time_limit, self.controller.soft_time_limit)

        def on_task_received(message: Any) -> None:
            stale = False
            try:
                found = message_checks.fault(message, tasks) or given_up(message)
                if found is None:
                    stale = periodic.is_tick(message) and self.ticks.is_stale(
                        message.headers["task"], message.payload[:2]
                    )
                    message.headers = envelope.judged(message.headers, limits)
                    message.properties = envelope.judged_properties(message.properties)
            except Exception as error:  # noqa: BLE001 - a message that the gate itself cannot read is no reason to end
                found = Fault("malformed", f"cannot be judged: {error!r}", message_only=True)
            if found is not None:
                self.park(message, found)
                return
            if stale:
                log.info("stale_tick", task=message.headers["task"])
                message.ack_log_error(celery_logger, self.connection_errors)
                return
            try:
                run(message)
            except self.lost:
                raise
            except Exception as error:
                if message.acknowledged:
                    raise
                self.park(message, Fault("malformed", f"cannot be handed to a process: {error!r}", message_only=True))

        return on_task_received

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """Errors for which no message is to blame."""
        return (*self.connection_errors, *self.channel_errors, MemoryError)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """Not a task message at all."""
        self.park(message, Fault("malformed", "not a task message", message_only=True))

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """A task that this worker does not have, for example one of a newer version."""
        self.park(message, Fault("unknown_task", str(exc)))

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """A task message that Celery refuses after the gate let it pass."""
        self.park(message, Fault("malformed", str(exc), message_only=True))

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """A body that kombu refuses to unpack, for its headers: so the commands that its text seems to name are not to blame."""
        found = message_checks.fault(message, self.app.tasks)
        self.park(message, found or Fault("malformed", f"body cannot be read: {exc}", message_only=True))

    def park(self, message: Any, found: Fault) -> None:
        """Move the message to the database, then acknowledge it; while that fails it stays unacknowledged, and is tried again."""
        delivery = message.delivery_info or {}
        queue = delivery.get("routing_key") or "?"
        try:
            from chassis.parking import (
                park_message,
            )  # the database client is loaded by the few workers that ever need it

            park_message(self.app.settings.database_url, message, queue=queue, found=found)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the message must not be let go of
            log.warning(
                "park_failed", queue=queue, reason=found.reason, error=(str(error).splitlines() or [repr(error)])[0]
            )
            self.timer.call_after(PARK_AGAIN_SECONDS, self.park, (message, found))
            return
        log.error("message_parked", queue=queue, reason=found.reason, detail=found.detail)
        instruments.count_parked(self.app.settings, found.reason)
        message.ack_log_error(celery_logger, self.connection_errors)
