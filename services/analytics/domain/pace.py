"""How many events may come a second: a bucket that may go into debt. Pure; time is an argument."""


class Pace:
    """Lets events through while the bucket is not empty, so a body of any length passes, and the next one waits for as long as it cost."""

    def __init__(self, per_second: float) -> None:
        """The bucket holds the events of a second."""
        self._per_second = per_second
        self._level = per_second
        self._at: float | None = None

    def take(self, events: int, now: float) -> float:
        """0 when they may come; else they are not taken, and the seconds after which to ask again. `now` never goes back."""
        if self._at is not None:
            self._level = min(self._per_second, self._level + (now - self._at) * self._per_second)
        self._at = now
        if self._level <= 0:
            # A bucket that is exactly empty is open a moment later.
            return max(0.001, -self._level / self._per_second)
        self._level -= events
        return 0.0
