"""How far this machine's clock is from the database's.

One clock decides what is due, expired or old: the database's, in its own SQL. A process reads its own only to say when something was, and
measures intervals by the monotonic clock, which nobody can set. So a wrong clock harms nothing; it is told nevertheless, because logs and
traces of such a machine cannot be compared with others. `chassis.database` measures once a minute, on a connection that is taken for use.
"""

import time
from typing import Any

from chassis import metrics
from chassis.loggers import get_logger

log = get_logger(__name__)

WARN_SECONDS = 1.0
"""From this difference on a process warns."""

LOOK_SECONDS = 60.0
"""How often a process compares its clock."""

_ASK = "SELECT extract(epoch FROM clock_timestamp())::float8"

_compare_at = float("-inf")


def is_due() -> bool:
    """Whether this process should compare its clock again."""
    return time.monotonic() >= _compare_at


def compare(cursor: Any) -> None:
    """Ask the database for its time, and show by how much ours is ahead. Half of a round trip is unknown, and is not warned of."""
    global _compare_at
    before, began = time.time(), time.monotonic()
    _compare_at = began + LOOK_SECONDS
    cursor.execute(_ASK)
    theirs: float = cursor.fetchone()[0]
    unknown = (time.monotonic() - began) / 2
    ahead = before + unknown - theirs
    if abs(ahead) - unknown >= WARN_SECONDS:
        log.warning("clock_differs", ahead_seconds=round(ahead, 3), at_most_wrong_by=round(unknown, 3))
    metrics.show(metrics.CLOCK, ahead)
