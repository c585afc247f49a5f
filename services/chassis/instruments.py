"""Connects logs, metrics and traces to Celery's signals, in the process that runs the tasks, after it was forked.

Providers and exporters hold threads and sockets that do not survive a fork, so nothing is built before `worker_process_init`; and a
child that is recycled ends without running exit handlers, so what it has is flushed in `worker_process_shutdown`.
"""

from typing import Any

from celery import signals


def install(app: Any) -> None:
    """Connect what the app's settings ask for. Called once, by a worker before it forks."""
    from chassis import logs

    settings = app.settings

    def configure_logs(**_: Any) -> None:
        logs.configure(settings)

    signals.setup_logging.connect(configure_logs, weak=False)


def count_parked(reason: str) -> None:
    """One message was parked."""
