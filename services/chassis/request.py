"""What a worker's main process does with a message's request, beside what Celery does: it says why a task's process was killed.

That a process died with a task is counted by its file (chassis.metric_files), which does not say why.
"""

from typing import Any

from celery.worker import request as celery_request

from chassis import metric_files, metrics


class Request(celery_request.Request):  # type: ignore[misc]
    """The `Request` of every task of a chassis app."""

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """A hard limit passed: its process is killed next."""
        if not soft:
            metric_files.will_be_killed(self.worker_pid, self.name, "time_limit")
        super().on_timeout(soft, timeout)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """A task that ends its own process is counted as failed there, and as killed here; then Celery does the rest."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, SystemExit | KeyboardInterrupt) and not (self._already_cancelled or self._already_revoked):
            metrics.count(metrics.KILLED, self.name, "lost")
        return super().on_failure(exc_info, send_failed_event, return_ok)
