"""How long the commands of each queue wait for their outcome, by the database's clock: what a customer of that queue feels.

The age of the oldest open command is looked at some times a second, so that no wait ends unseen that is longer than two looks are apart.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from conductor.harness.background import in_background
from conductor.harness.outbox_state import Database
from conductor.runtime import Reach

LOOK_SECONDS = 0.1

_EVER = datetime(1, 1, 1, tzinfo=UTC)

_OLDEST = """
    SELECT queue, extract(epoch FROM clock_timestamp() - min(created_at))::float8
    FROM outbox WHERE state = 'open' AND created_at >= %s GROUP BY queue
"""


@dataclass(slots=True)
class Ages:
    """Of commands that were put into the outbox since the watch began.

    `oldest_seconds` has, by queue, the longest that one was seen to be open; `gap_seconds` is the longest time between two looks, for
    which the machine, or the database, kept the watch itself waiting.
    """

    oldest_seconds: dict[str, float] = field(default_factory=dict)
    gap_seconds: float = 0.0

    def seen(self, queue: str) -> float:
        """The longest that a command of this queue was open; 0 when none was."""
        return self.oldest_seconds.get(queue, 0.0)


def oldest(access: Reach) -> dict[str, float] | None:
    """By queue, how long its oldest open command has been open; None while the database does not answer."""
    with contextlib.closing(Database(access)) as database:
        rows = database.rows(_OLDEST, _EVER)
    return None if rows is None else dict(rows)


@contextlib.contextmanager
def watched(access: Reach) -> Iterator[Ages]:
    """Ages that grow during the block, and stay as they are after it."""
    ages = Ages()
    with in_background(partial(_watch, access, ages)):
        yield ages


def _watch(access: Reach, ages: Ages, over: threading.Event) -> None:
    with contextlib.closing(Database(access)) as database:
        since = None
        looked = time.monotonic()
        while not over.wait(LOOK_SECONDS):
            since = since or database.clock()
            for queue, age in (database.rows(_OLDEST, since) if since else None) or ():
                ages.oldest_seconds[queue] = max(age, ages.seen(queue))
            ages.gap_seconds = max(ages.gap_seconds, time.monotonic() - looked - LOOK_SECONDS)
            looked = time.monotonic()
