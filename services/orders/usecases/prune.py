"""Delete what has been kept long enough, in batches: a long delete would hold locks and keep vacuum waiting.

Orders, lines, mails and stock movements stay: they are the books. What may happen twice: a run; the second finds less to do.
A callback that comes again after its id is gone was signed long before, and is refused for that.
"""

from collections.abc import Callable
from datetime import datetime

from orders.ports import Archive

# Rows a statement deletes: a few milliseconds of locks.
BATCH = 1000


def prune(archive: Archive, before: datetime, *, batch: int = BATCH, most_batches: int = 50) -> dict[str, int]:
    """Delete what is older than `before`; rows by kind. At most `most_batches` of each, so that a run ends; the next goes on."""
    kinds: dict[str, Callable[[datetime, int], int]] = {
        "keys": archive.prune_keys,
        "callbacks": archive.prune_callbacks,
        "timelines": archive.prune_timelines,
        "parked": archive.prune_parked,
    }
    return {kind: _until_done(delete, before, batch, most_batches) for kind, delete in kinds.items()}


def _until_done(delete: Callable[[datetime, int], int], before: datetime, batch: int, most_batches: int) -> int:
    total = 0
    for _ in range(most_batches):
        gone = delete(before, batch)
        total += gone
        if gone < batch:
            break
    return total
