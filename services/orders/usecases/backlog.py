"""How much work is open, counted at most once a second: accepting an order must not cost a count of all that wait."""

import threading
import time
from collections.abc import Callable


class Backlog:
    """Remembers the last count. Safe to use from several threads: one of them counts, the others take the count before."""

    def __init__(
        self, at_most: int, *, fresh_seconds: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Counting stops at `at_most`, which keeps it cheap however long the backlog is."""
        self._at_most = at_most
        self._fresh_seconds = fresh_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._size = 0
        self._fresh_until = float("-inf")

    def size(self, count: Callable[[int], int]) -> int:
        """Open commands, at most a second old; asks `count(at_most)` when it has to."""
        if self._clock() >= self._fresh_until and self._lock.acquire(blocking=False):
            try:
                began = self._clock()
                self._size = count(self._at_most)
                now = self._clock()
                # Dead rows that an old transaction keeps make counting slow; it is given a twentieth of the time at most.
                self._fresh_until = now + max(self._fresh_seconds, 20 * (now - began))
            finally:
                self._lock.release()
        return self._size
