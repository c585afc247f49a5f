"""Connects logs, metrics and traces to Celery's signals, in the process that runs the tasks, after it was forked.

Providers and exporters hold threads and sockets that do not survive a fork, so nothing is built before `worker_process_init`; and a
child that is recycled ends without running exit handlers, so what it has is flushed in `worker_process_shutdown`. Nothing of this
can make a task fail: Celery logs what a receiver raises, and goes on.
"""

import os
import sys
import time
from typing import Any

from billiard.exceptions import TimeLimitExceeded
from celery import signals

from chassis import logs, metrics, tracing
from chassis.settings import ServiceSettings

Receiver = Any


def install(app: Any, *, forks: bool) -> None:
    """Connect what the app's settings ask for. Called once by a worker, before it forks if it does."""
    settings: ServiceSettings = app.settings
    on(signals.setup_logging, lambda **_: logs.configure(settings))
    if metrics.wanted(settings):
        metrics.prepare(settings)
    if forks:
        on(signals.worker_process_shutdown, leave)
    counts = metrics.wanted(settings)
    traces = settings.otel_exporter_otlp_endpoint is not None
    if not counts and not traces:
        return
    watch = Watch()

    def begin(**_: Any) -> None:
        metrics.start(settings)
        tracing.start(settings, app.main)

    if forks:
        on(signals.worker_process_init, begin)
    else:
        begin()
        on(signals.worker_shutdown, lambda **_: tracing.stop())
    on(signals.task_prerun, watch.begin)
    on(signals.task_postrun, watch.end)
    on(signals.task_failure, watch.fail)


def on(signal: Any, receiver: Receiver) -> None:
    """Connect for the life of the process."""
    signal.connect(receiver, weak=False)


def count_parked(settings: ServiceSettings, reason: str) -> None:
    """One message was parked; in whichever process that happened."""
    metrics.start(settings)
    metrics.count(metrics.PARKED, reason)


def leave(exitcode: int | None = None, **_: Any) -> None:
    """A child process is about to end: send what it has, and do not linger when the whole pool is ending.

    billiard's child says goodbye and sleeps for a second, to be killed by a parent that read it; a parent that drains has stopped
    reading by then, after it took the last result, and would wait for the second to pass.
    """
    tracing.stop()
    if not exitcode:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


class Watch:
    """Counts and traces the tasks of this process; several may run at once, in threads."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[float, Any]] = {}

    def begin(self, task_id: str, task: Any, **_: Any) -> None:
        """A task is about to run."""
        headers = {"traceparent": getattr(task.request, "traceparent", None)}
        queue = (task.request.delivery_info or {}).get("routing_key") or ""
        around = tracing.span(
            f"run {task.name}", headers=headers, consumer=True, **tracing.message_attributes(task_id, queue)
        )
        self._running[task_id] = (time.monotonic(), around)
        around.__enter__()
        metrics.count(metrics.STARTED, task.name)

    def end(self, task_id: str, task: Any, state: str = "", **_: Any) -> None:
        """A task has ended in this process, well or not."""
        began, around = self._running.pop(task_id, (None, None))
        if around is not None:
            around.__exit__(None, None, None)
        if began is not None:
            outcome = {"SUCCESS": "succeeded", "RETRY": "retried", "IGNORED": "skipped"}.get(state, "failed")
            metrics.count(metrics.TASKS, task.name, outcome)
            metrics.observe(metrics.SECONDS, time.monotonic() - began, task.name)

    def fail(self, sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
        """A task raised, or was killed at its hard limit; the latter is told to the main process, which did not see it begin."""
        began, around = self._running.get(task_id, (None, None))
        if around is not None:
            from opentelemetry import trace

            active = trace.get_current_span()
            active.record_exception(exception)
            active.set_status(trace.StatusCode.ERROR, type(exception).__name__)
        elif began is None:
            metrics.start(sender.app.settings)
            metrics.count(metrics.TASKS, sender.name, "failed")
            reason = "time_limit" if isinstance(exception, TimeLimitExceeded) else "lost"
            metrics.count(metrics.KILLED, sender.name, reason)
