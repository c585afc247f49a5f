"""What a worker's main process does with a message's request, beside what Celery does: count a task whose process was lost.

Celery gives such a message back to the broker, and then sends no signal of a failure (celery 5.7, Request.on_failure): the process that ran
the task cannot count it any more, and nobody else is told.
"""

from typing import Any

from billiard.exceptions import WorkerLostError
from celery.worker import request as celery_request

from chassis import instruments, metrics


class Request(celery_request.Request):  # type: ignore[misc]
    """The `Request` of every task of a chassis app."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Count the task, if its process is gone; then let Celery do the rest."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if not (self._already_cancelled or self._already_revoked):
            if isinstance(error, WorkerLostError):
                instruments.count_lost(self.app.settings, self.name)
            elif isinstance(error, SystemExit | KeyboardInterrupt):
                # The task raised it: its process counted the failure, and then ended.
                metrics.count(metrics.KILLED, self.name, "lost")
        return super().on_failure(exc_info, send_failed_event, return_ok)
