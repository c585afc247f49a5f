"""What a new writer does with the end of the last segment.

A writer that was killed leaves at most one frame that was not finished, and its size is still 0. A machine that lost its power may
leave any bytes after the last fdatasync. Both lie behind the last closed block, because at level `disk` a block is closed after the
fdatasync that covers it. They are cut, and kept in a file beside the segment. What is before a closed block, or before the last
fdatasync, is never cut: when that is wrong, the journal is damaged. What lies before the last closed block is not read here; who
replays it reads it.

At level `process` a power failure is no part of the promise: what it leaves may be refused as damaged.
"""

import mmap
from pathlib import Path

from trading.adapters.journal.errors import JournalDamaged
from trading.adapters.journal.frames import written_end
from trading.adapters.journal.segment import PAGE, header_of, synced_to
from trading.adapters.journal.walk import Walk


def recovered(path: Path, buffer: mmap.mmap) -> Walk:
    """Stand at the end of the last segment, what was not finished being cut; raises JournalDamaged when it was."""
    walk = Walk(buffer, header_of(path)).skip_closed_blocks().to_the_end()
    refuse_a_damaged_end(path, walk)
    cut(path, buffer, walk.offset)
    return walk


def refuse_a_damaged_end(path: Path, walk: Walk) -> None:
    """Raise JournalDamaged when what follows the last whole frame is neither nothing nor what a kill or a power failure leaves."""
    synced = synced_to(walk.buffer)
    reason = walk.bad.reason if walk.bad else "no frame is here"
    if walk.offset < synced:
        raise JournalDamaged(path, walk.offset, f"{reason}, but the writer saw offset {synced} on the disk")
    if not synced and (walk.bad or walk.frame_follows()):
        raise JournalDamaged(path, walk.offset, f"{reason}, but it was committed, and the writer was not at level disk")


def cut(path: Path, buffer: mmap.mmap, offset: int) -> int:
    """Write zeros from `offset` on and keep what was there as `<segment>.cut-<offset>`; gives how many bytes that were."""
    torn = buffer[offset : written_end(buffer, offset)]
    if torn:
        path.with_name(f"{path.name}.cut-{offset}").write_bytes(torn)
        buffer[offset : offset + len(torn)] = bytes(len(torn))
    return len(torn)


def cut_to_the_last_sync(path: Path) -> int:
    """Do to a segment what a power failure may do: lose all that no fdatasync covered. Gives how many bytes were lost."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as buffer:
        return cut(path, buffer, max(synced_to(buffer), PAGE))
