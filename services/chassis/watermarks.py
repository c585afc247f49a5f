"""From where the relay scans the index of due commands. Pure: time is an argument.

While anybody's transaction stays open, PostgreSQL keeps every version of every command done since, and a scan of the index from its
beginning walks over them all. So each queue has a low watermark, a due time before which nothing was left to be issued when it was looked
into last; scans begin there. Now and then, the more rarely the more it costs, a full look begins at the beginning, for what became visible
late or was held by a worker.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

LATE = timedelta(seconds=2)
"""How long after its due time a command may become visible: from its writing to the end of its commit. Later ones need a full look."""

FULL_LOOK_SHARE = 0.05
"""What full looks may cost of the relay's time."""

FULL_LOOK_SECONDS = 30.0
"""How long after a full look the next one comes at the latest; a lease, which is what a lost command waits anyway."""

BEGINNING = datetime.fromtimestamp(0, UTC)


class Watermarks:
    """The low watermarks of one relay."""

    def __init__(self, queues: Iterable[str]) -> None:
        """`queues` are looked into even while nothing is open in them; others are found by full looks."""
        self._known = set(queues)
        self._low: dict[str, datetime] = {}
        self._full_look_at = float("-inf")

    def is_full(self, now: float) -> bool:
        """Whether the look at this monotonic time is to be a full one."""
        return now >= self._full_look_at

    def queues(self) -> list[str]:
        """Where a look that is not full looks."""
        return list(self._low)

    def of(self, queues: Iterable[str], *, full: bool) -> list[datetime]:
        """The due time from which each of the queues is scanned."""
        return [BEGINNING if full else self._low.get(queue, BEGINNING) for queue in queues]

    def looked(self, began: float, ended: float) -> None:
        """A full look took this long (monotonic times)."""
        self._full_look_at = ended + min((ended - began) / FULL_LOOK_SHARE, FULL_LOOK_SECONDS)

    def raise_to(
        self, moment: datetime, queues: Iterable[str], rooms: Mapping[str, int], taken: Mapping[str, Sequence[datetime]]
    ) -> None:
        """What a look at `moment` (the database's time) found.

        `queues` are those with open commands as far as anybody knows, `rooms` how many were asked of each that was looked into, and `taken`
        the due times of those that came.
        """
        visible = moment - LATE
        for queue in self._known.difference(queues):
            self._low[queue] = visible
        for queue in queues:
            found = taken.get(queue, ())
            if queue not in rooms:
                self._low.setdefault(queue, BEGINNING)
            elif len(found) < rooms[queue]:
                self._low[queue] = visible
            else:
                self._low[queue] = min(max(found), visible)
