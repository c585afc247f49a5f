"""Queues that a publisher leaves alone for a moment, because the broker did not take their last message. Pure; time is an argument.

A queue that is full, gone or without a quorum must not stop the others, and each try at it may cost a whole time-out.
"""

from dataclasses import dataclass, field

STEP_SECONDS = 0.5
"""What a second failure in a row costs; the first costs nothing, because a new channel or a declaration may be all that is needed."""

PROMPT_SECONDS = 1.5
"""The longest for a queue whose messages are refused at once: trying it takes nothing from the others."""

TIMES_A_TRY = 4.0
"""How many times what a try took its queue is left alone: the others have the publisher for four fifths of the time."""

LONGEST_SECONDS = 20.0
"""Also how late at most a queue is tried that can be published to again; less than a relay's lease."""


@dataclass
class Holds:
    """The queues that are held, each for about twice as long with every failure in a row, as far as what a try takes is worth it."""

    _failures: dict[str, int] = field(default_factory=dict)
    _until: dict[str, float] = field(default_factory=dict)

    def refused(self, queue: str, now: float, *, took_seconds: float) -> None:
        """A message for this queue was not taken, which became known after so many seconds."""
        failures = self._failures.get(queue, 0)
        self._failures[queue] = failures + 1
        most = min(LONGEST_SECONDS, max(PROMPT_SECONDS, TIMES_A_TRY * took_seconds))
        self._until[queue] = now + min(most, STEP_SECONDS * (2.0 ** min(failures, 64) - 1.0))

    def taken(self, queue: str) -> None:
        """A message for this queue was taken: nothing holds it any more."""
        self._failures.pop(queue, None)
        self._until.pop(queue, None)

    def holds(self, queue: str, now: float) -> bool:
        """Whether the queue is to be left alone."""
        return now < self._until.get(queue, now)

    def queues(self) -> list[str]:
        """Every queue whose last message was not taken, sorted; also one that may be tried again."""
        return sorted(self._failures)
