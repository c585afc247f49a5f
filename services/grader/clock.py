"""The time that a check has. It stands still while the grader does what is not the learner's, such as finding a place for a pod."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from conductor.waiting import until
from grader import measuring
from grader.errors import TooBusy

MOST_STANDING_SECONDS = 600.0
"""Of one check: whatever the grader waits for comes to an end."""

MOST_MORE_SECONDS = 60.0
"""How much longer one thing is waited for on a slow machine."""

LEAST_SECONDS = 5.0
"""What was promised counts as so much at least: what comes last in a check may have been left with nothing."""


class CheckClock:
    """Of one check at a time; several threads of it may stop the clock at once."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._check = 0
        self.begin(60)

    def begin(self, seconds: float) -> None:
        """A check begins that may take so long."""
        with self._lock:
            self._check += 1
            self._ends = self._now() + seconds
            self._stood, self._stopped_by, self._since = 0.0, 0, 0.0

    def left(self) -> float:
        """Seconds that are left; negative once the time is over."""
        with self._lock:
            standing = self._now() - self._since if self._stopped_by else 0.0
            return self._ends + min(MOST_STANDING_SECONDS, self._stood + standing) - self._now()

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """It stands still in this block; one that an earlier check left behind stops nothing any more."""
        with self._lock:
            check = self._check
            if not self._stopped_by:
                self._since = self._now()
            self._stopped_by += 1
        try:
            yield
        finally:
            with self._lock:
                if check == self._check:
                    self._stopped_by -= 1
                    self._stood += 0.0 if self._stopped_by else self._now() - self._since

    def in_time(self, holds: Callable[[], bool], seconds: float, every_seconds: float) -> bool:
        """Whether it holds within so many seconds, and before the check's time is over. Raises TooBusy as `later` does."""
        if until(holds, within_seconds=max(0.0, min(seconds, self.left())), every_seconds=every_seconds):
            return True
        return self.later(holds, seconds, every_seconds)

    def later(self, holds: Callable[[], bool], seconds: float, every_seconds: float = 0.05) -> bool:
        """False for what did not hold within so many seconds, which are over. Raises TooBusy when it holds soon, and this machine is slow.

        It is waited for as much longer as programs take longer, and that is no time of the check's: the promise is neither kept nor broken
        then. What does not hold even so is no fault of the machine's. It counts as slow when it was so at any time of these seconds.
        """
        times = measuring.slowest(self._now() - seconds)
        if times < measuring.SLOW:
            return False
        with self.stopped():
            more = min(MOST_MORE_SECONDS, max(LEAST_SECONDS, seconds) * (times - 1))
            held = until(holds, within_seconds=more, every_seconds=every_seconds)
        if held:
            raise TooBusy(f"it took more than {seconds:.0f} s, where a program takes {times:.0f} times its own")
        return False
