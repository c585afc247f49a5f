"""What a worker owns besides its consumer, such as child processes that serve clients: started, looked after and ended with the worker.

A companion belongs to one queue: the workers that consume it own one each. It lives in a thread of its own, from the first bootstep to
the last, so that it is looked after while a task runs, while the broker is away and while a connection is made. Child processes may bind
their lives to that thread (PR_SET_PDEATHSIG). The heartbeat tells its trouble apart from that of the consumer, with a patience of its own.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from celery import bootsteps

from chassis.loggers import get_logger

log = get_logger(__name__)

UNATTENDED_SECONDS = 5.0
"""A companion that nobody looked after for so long is in trouble: its thread hangs."""


class Companion(Protocol):
    """Every method is called by one thread, the same one."""

    def start(self) -> None:
        """Begin; returns before it is ready."""

    def check(self) -> str:
        """Look after it, and say why it does not serve now; empty when it does."""

    def stop(self) -> bool:
        """End in order. False when something had to be cut short, which makes the worker exit with 1."""

    def metrics(self) -> bytes:
        """What `/metrics` shows of it, in Prometheus' text format; called by the threads that answer scrapes."""


@dataclass(frozen=True, slots=True)
class CompanionOf:
    """How the workers of a queue own their companion."""

    make: Callable[[], Companion]
    """Makes it, in the process that owns it."""

    check_seconds: float = 0.05
    """Pause between two looks."""

    patience_seconds: float = 30.0
    """How long it may be in trouble until the worker counts as dead; a worker that starts anew starts a new one."""

    serves_without_broker: bool = False
    """Whether a worker is ready for its clients while its broker is away."""


class Attendant(threading.Thread):
    """The thread that owns a companion."""

    def __init__(self, settings: CompanionOf) -> None:
        super().__init__(name="companion", daemon=True)
        self.settings = settings
        self.clean = True
        """False when the end was not in order."""
        self._companion: Companion | None = None
        self._trouble = "it starts"
        self._looked_at = time.monotonic()
        self._ending = threading.Event()

    def run(self) -> None:
        """Look after the companion until told to end. An error is told, and does not end this thread, with which children would die."""
        while not self._ending.wait(self.settings.check_seconds):
            try:
                if self._companion is None:
                    made = self.settings.make()
                    made.start()
                    self._companion = made
                self._say(self._companion.check())
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may find it mended
                self._say(repr(error))
            self._looked_at = time.monotonic()
        if self._companion is not None:
            try:
                self.clean = self._companion.stop()
            except Exception:
                log.exception("companion_not_stopped")
                self.clean = False

    def end(self) -> None:
        """Have it end in order; returns when it has."""
        self._ending.set()
        if self.ident is not None:
            self.join()

    def trouble(self, now: float) -> str:
        """Why it does not serve, empty when it does. `now` is on the monotonic clock."""
        unattended = now - self._looked_at
        if unattended > UNATTENDED_SECONDS:
            return f"nobody has looked after it for {unattended:.0f} s"
        return self._trouble

    def metrics(self) -> bytes:
        """Its metrics; nothing before it was made."""
        return self._companion.metrics() if self._companion is not None else b""

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble:
                log.warning("companion_in_trouble", reason=trouble)
            else:
                log.info("companion_serves")


class CompanionStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Starts the companion with the worker, and ends it after the consumer."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        of_queues = worker.app.companions
        owned = [of_queues[name] for name in sorted(worker.app.amqp.queues.consume_from) if name in of_queues]
        worker.companion = self._attendant = Attendant(owned[0]) if owned else None

    def include_if(self, worker: Any) -> bool:
        """Only where there is one."""
        return self._attendant is not None

    def start(self, worker: Any) -> None:
        """Begin; the worker goes on meanwhile."""
        if self._attendant is not None:
            self._attendant.start()

    def stop(self, worker: Any) -> None:
        """Wait until it has ended."""
        if self._attendant is not None:
            self._attendant.end()
            if not self._attendant.clean:
                worker.exitcode = worker.exitcode or 1

    def terminate(self, worker: Any) -> None:
        """The same when the worker is told to be quick: what a companion holds must not be cut off."""
        self.stop(worker)
