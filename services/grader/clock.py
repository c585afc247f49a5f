"""The time that a check has. It stands still while the grader does what is not the learner's, such as finding a place for a pod."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

MOST_STANDING_SECONDS = 600.0
"""Of one check: whatever the grader waits for comes to an end."""


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
