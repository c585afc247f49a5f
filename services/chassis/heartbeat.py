"""How a process is, written to a file that a probe can read without importing anything.

The file is one JSON object, replaced whole, so a reader never sees half of it. Times are those of the machine's monotonic clock,
which every process shares and nobody can set. Which state fails which probe is decided by the reader, chassis.probe.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

STARTING = "starting"
IDLE = "idle"
BUSY = "busy"
CANCELLED = "cancelled"  # the broker is there, but nothing is consumed from a queue that should be
UNREACHABLE = "unreachable"  # the broker is away
PAUSED = "paused"
STALLED = "stalled"  # nothing is consumed from a queue of batches, because the store that takes them fails
DEGRADED = "degraded"  # what the worker owns besides its consumer does not serve
SERVING = "serving"  # the broker is away, and what the worker owns serves its clients without it
STANDBY = "standby"  # started paused: ready, but somebody else does the work
DRAINING = "draining"

STALE_SECONDS = 30.0
"""Longest that a healthy loop goes without a tick: a few connection attempts in a row, on a busy machine."""

START_SECONDS = 120.0
"""Longest that a start may take before its first tick."""

PATIENCE_SECONDS = 20.0
"""How long a lost consumer may take to come back by itself before the process is given up."""

REWRITE_SECONDS = 1.0
"""How old an unchanged record may grow: often enough for a probe every 5 s, seldom enough to cost nothing."""


class Heartbeat:
    """Writes the heartbeat of one process. Not for two threads at once; `beat` may be called as often as the loop turns."""

    def __init__(self, path: Path | None, role: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Without a path nothing is ever written."""
        self._path = path
        self._role = role
        self._clock = clock
        self._since = clock()
        self._written_at = float("-inf")
        self._shown: tuple[str, str] = ("", "")

    def beat(self, *, broker_ok: bool = True, detail: str = "") -> None:
        """One turn of a loop that has no tasks of its own (relay, beat); `detail` is what it waits for."""
        self.show(IDLE if broker_ok else UNREACHABLE, detail)

    def show(
        self,
        state: str,
        detail: str = "",
        *,
        deadline: float | None = None,
        blocking: bool = False,
        held: int = 0,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Write the state, unless the same was written a moment ago.

        `deadline` is the time on the monotonic clock at which a running task is past its hard limit; `blocking` says that the loop
        cannot tick until that task ends; `held` is the number of messages that are not acknowledged; `patience_seconds` is how long the
        state may last where a restart would cure it.
        """
        now = self._clock()
        changed = (state, detail) != self._shown
        if self._path is None or (not changed and now - self._written_at < REWRITE_SECONDS):
            return
        if state != self._shown[0]:
            self._since = now
        self._shown = (state, detail)
        self._written_at = now
        record = {
            "role": self._role,
            "pid": os.getpid(),
            "state": state,
            "detail": detail,
            "since": self._since,
            "ticked": now,
            "deadline": deadline,
            "blocking": blocking,
            "held": held,
            "stale_seconds": START_SECONDS if state == STARTING else STALE_SECONDS,
            "patience_seconds": patience_seconds,
        }
        # A disk that is full must not stop the work; the record then grows old, and the probe says so.
        with contextlib.suppress(OSError):
            fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            fresh.write_text(json.dumps(record))
            fresh.replace(self._path)
