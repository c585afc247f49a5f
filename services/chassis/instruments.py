"""Connects logs, metrics and traces to Celery's signals, in the process that runs the tasks, after it was forked.

Providers and exporters hold threads and sockets that do not survive a fork, so nothing is built before `worker_process_init`; and a
child that is recycled ends without running exit handlers, so what it has is flushed in `worker_process_shutdown`. Nothing of this
can make a task fail: Celery logs what a receiver raises, and goes on.
"""

import os
import sys
import time
from typing import Any

from celery import signals

from chassis import logs, metric_files, metrics, traceparent, tracing
from chassis.sending import messaging
from chassis.settings import ServiceSettings
from chassis.tracing import Kind, Span

Receiver = Any


def install(app: Any, *, forks: bool) -> None:
    """Connect what the app's settings ask for. Called once by a worker, before it forks if it does."""
    settings: ServiceSettings = app.settings
    on(signals.setup_logging, lambda **_: logs.configure(settings, app.main))
    if metrics.wanted(settings):
        metric_files.prepare(settings)
        for task in app.tasks:
            if not task.startswith("celery."):  # Prometheus sees no increase in a first value
                metrics.count(metrics.TASKS, task, "failed", by=0)
                metrics.count(metrics.KILLED, task, "lost", by=0)
    if forks:
        on(signals.worker_process_shutdown, leave)
    counts = metrics.wanted(settings)
    traces = settings.otel_exporter_otlp_endpoint is not None
    if not counts and not traces:
        return
    watch = Watch(settings.messaging_system)

    def begin(**_: Any) -> None:
        metrics.start(settings)
        tracing.start(settings, app.main)

    if forks:
        if traces:
            # Modules hold nothing that a fork breaks, and each child that imports them by itself takes 0.1 s of CPU longer to start.
            from chassis import span_export, spans  # noqa: F401
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

    def __init__(self, system: str) -> None:
        """`system` is the broker, by its name in OpenTelemetry's messaging conventions."""
        self._system = system
        self._running: dict[str, tuple[float, Span | None, Any]] = {}

    def begin(self, task_id: str, task: Any, **_: Any) -> None:
        """A task is about to run."""
        span = token = None
        if tracing.on():
            request = task.request
            queue = (request.delivery_info or {}).get("routing_key") or "?"
            parent = traceparent.read(getattr(request, "traceparent", None))
            span = tracing.begin(f"process {queue}", Kind.CONSUMER, parent=parent)
        if span is not None:
            span.attributes |= messaging(self._system, "process", queue, task_id, task.name)
            published = getattr(request, "published", None)
            if isinstance(published, int | float) and not isinstance(published, bool):
                span.published = published
            token = tracing.enter(span)
        self._running[task_id] = (time.monotonic(), span, token)
        metrics.count(metrics.STARTED, task.name)

    def end(self, task_id: str, task: Any, state: str = "", **_: Any) -> None:
        """A task has ended in this process, well or not."""
        began, span, token = self._running.pop(task_id, (None, None, None))
        outcome = {"SUCCESS": "succeeded", "RETRY": "retried", "IGNORED": "skipped"}.get(state, "failed")
        if span is not None and token is not None:
            span.attributes["outcome"] = outcome
            tracing.leave(token)
            span.end()
        if began is not None:
            metrics.count(metrics.TASKS, task.name, outcome)
            metrics.observe(metrics.SECONDS, time.monotonic() - began, task.name)

    def fail(self, task_id: str, exception: BaseException, **_: Any) -> None:
        """A task raised. One that is killed at its hard limit is told to the main process, which knows no span of it."""
        _began, span, _token = self._running.get(task_id, (None, None, None))
        tracing.failed(span, exception)
