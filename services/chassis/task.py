"""The base class of every task of a chassis app."""

from typing import Any

from celery import Task
from celery.exceptions import Ignore

from chassis import instruments, periodic
from chassis.errors import Permanent
from chassis.loggers import get_logger

log = get_logger(__name__)


class ChassisTask(Task):  # type: ignore[misc]
    """A task whose failure is never only a log line."""

    Request = "chassis.request:Request"

    versions: tuple[int, ...] = (1,)
    """Message versions (`v`) that `run` can read. A release reads the new one before any release writes it."""

    sent_again = False
    """Whether its sender sends it again until its work is done. Then a run that fails of what will pass (a store, a database or a broker
    that is away or slow) is skipped and not parked, as a tick of a periodic task is."""

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Run no tick of a periodic task that was given up, until a person decided about its parked record."""
        if getattr(self.request, "celery_beat_task", None) and periodic.is_given_up(
            self.app.settings.database_url, self.name
        ):
            log.error("tick_given_up", task=self.name)
            raise Ignore

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Park what failed, unless it is a batch of outbox commands: those are still open, so they come due again by themselves."""
        if "ids" in kwargs:
            log.error("batch_failed", task=self.name, error=repr(exc))
            return
        ticks = self.name in periodic.intervals(self.app.conf.beat_schedule)
        if (ticks or self.sent_again) and periodic.will_pass(exc):
            # The next run finds all that this one left.
            log.warning("tick_skipped" if ticks else "run_skipped", task=self.name, error=repr(exc))
            return
        # The database client is loaded by the few processes that ever need it.
        from chassis.parking import park_failure

        reason = "permanent" if isinstance(exc, Permanent) else "bug"
        log.error("task_failed", task=self.name, reason=reason, error=repr(exc))
        park_failure(
            self.app.settings.database_url,
            queue=(self.request.delivery_info or {}).get("routing_key") or "?",
            task=self.name,
            args=args,
            kwargs=kwargs,
            reason=reason,
            detail=str(einfo),
        )
        log.info("failure_parked", task=self.name, reason=reason)
        instruments.count_parked(self.app.settings, reason)
