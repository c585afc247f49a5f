"""Celery's beat with a heartbeat: it is written by the tick that sends what is due, so a beat that is stuck looks stuck.

A singleton: the pool has one replica, and nothing here coordinates two. A restart neither skips nor doubles an entry, because the
last run of each is kept in the schedule file; without that file each runs once an interval from the start.

Time runs on by the monotonic clock from where the machine's clock stood at the start: one that is put back by an hour would stop every
entry for that hour, one that is put forward would send all of them at once. A last run that lies in the future counts as one just now.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from celery.apps.beat import Beat as CeleryBeat
from celery.beat import PersistentScheduler

from chassis import health, heartbeat, logs, metric_files, metrics, tracing
from chassis.heartbeat import Heartbeat

_STARTED = datetime.now(UTC), time.monotonic()


def steady_now() -> datetime:
    """The time, whatever becomes of the machine's clock after this module was imported."""
    began, then = _STARTED
    return began + timedelta(seconds=time.monotonic() - then)


class Beat(CeleryBeat):  # type: ignore[misc]
    """The program `celery beat` of every chassis app. It prints no banner: all that it writes are log lines."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "quiet": True})

    def setup_logging(self, colorize: bool | None = None) -> None:
        """As all processes of the service do; the command line's level and file do not count."""
        logs.configure(self.app.settings, self.app.main)


class Scheduler(PersistentScheduler):  # type: ignore[misc]
    """The setting `beat_scheduler` of every chassis app."""

    def __init__(self, app: Any, *args: Any, **options: Any) -> None:
        self._heartbeat = Heartbeat(app.settings.heartbeat_file, "beat")
        self._heartbeat.show(heartbeat.STARTING)
        if not options.get("lazy"):  # Celery makes a second one, which never ticks, to print its banner
            if metrics.wanted(app.settings):
                metric_files.prepare(app.settings)
            metrics.start(app.settings)
            health.serve(app.settings)
            tracing.start(app.settings, app.main)
        self._broker_ok = True
        super().__init__(app, *args, **options)

    def setup_schedule(self) -> None:
        """Read the schedule file, and let every entry go by the steady clock."""
        super().setup_schedule()
        now = steady_now()
        for entry in self.schedule.values():
            entry.schedule.nowfun = steady_now
            if entry.schedule.maybe_make_aware(entry.last_run_at) > now:
                entry.last_run_at = now

    def tick(self, *args: Any, **options: Any) -> Any:
        """Send what is due; seconds until the next look."""
        self._heartbeat.beat(broker_ok=self._broker_ok)
        metrics.show(metrics.TICK_AT, time.time())
        return super().tick(*args, **options)

    def close(self) -> None:
        """End: keep the last runs, and send the last spans."""
        super().close()
        tracing.stop()

    def apply_async(self, entry: Any, *args: Any, **options: Any) -> Any:
        """Send one entry. A broker that does not take it costs this run of it; the next one is due as planned."""
        self._broker_ok = False
        sent = super().apply_async(entry, *args, **options)
        self._broker_ok = True
        metrics.show(metrics.RUN_AT, time.time(), entry.name)
        return sent

    def _ensure_connected(self) -> Any:
        def wait(error: Exception, interval: float) -> None:
            self._heartbeat.beat(broker_ok=False)

        connected = self.connection.ensure_connection(
            wait, None, interval_start=0.5, interval_step=0.5, interval_max=3.0
        )
        self._broker_ok = True
        return connected
