"""For how long a child shows no sign of life although it could: what it waits for a core does not count.

On a machine without a core to spare a child is kept from showing any, and another one in its place would have to wait as well. Linux tells
of each thread what it does, for how long it ran, and for how long it waited for a core until it ran last. A child that stands still
(SIGSTOP) or is blocked waits for none, and one that runs without a sign of life counts by the time for which it ran. Where there is no
/proc, all time counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DOUBTED_SECONDS = 0.2
"""From here on it is looked at. Less often happens to a child that is well, and the look reads files."""
SECOND_NS = 1e9


@dataclass(frozen=True, slots=True)
class _Look:
    """What the threads of a process did by now, in seconds."""

    ran: float
    waited: Mapping[str, float]
    """By thread."""
    runnable: bool
    """Whether one of them has a core or waits for one."""


class Silence:
    """Of one child."""

    def __init__(self, pid: int) -> None:
        self._threads = Path(f"/proc/{pid}/task")
        self._first: _Look | None = None
        self._began = self._last = 0.0

    def counted(self, seconds: float) -> float:
        """How much of `seconds` without a sign of life counts. Call it often, with each silence from its beginning on."""
        if seconds < self._last:
            self._first = None
        self._last = seconds
        if seconds < DOUBTED_SECONDS or (look := self._look()) is None:
            return seconds
        if self._first is None:
            self._first, self._began = look, seconds
        since = seconds - self._began
        if look.runnable:
            # What a thread waits for now is told when it has a core again.
            counted = min(look.ran - self._first.ran, since)
        else:
            before = self._first.waited
            counted = since - max(waited - before.get(thread, 0.0) for thread, waited in look.waited.items())
        return min(self._began, DOUBTED_SECONDS) + max(counted, 0.0)

    def _look(self) -> _Look | None:
        """None where there is no Linux, or when a thread ended meanwhile."""
        ran, waited, runnable = 0.0, dict[str, float](), False
        try:
            for thread in self._threads.iterdir():
                spent = (thread / "schedstat").read_bytes().split()
                # The name before the state is in brackets, and may hold any character.
                runnable |= (thread / "stat").read_bytes().rpartition(b") ")[2][:1] == b"R"
                ran += int(spent[0]) / SECOND_NS
                waited[thread.name] = int(spent[1]) / SECOND_NS
        except (OSError, IndexError):
            return None
        return _Look(ran, waited, runnable) if waited else None
