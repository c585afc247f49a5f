"""The keeper process: follows the journal block by block with an engine of its own, so that nothing it does stops the one that trades.

It finds an outcome that a replay would not give while the day goes on, writes snapshots without a pause of the engine, signs heads,
writes the depth and the last trades of each book for people to look at, and has the file of the next segment ready. When it is behind or
dead, trading goes on; a restart then reads more of the journal again.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from trading.adapters.depth_files import DepthFiles
from trading.adapters.journal.errors import JournalFull
from trading.adapters.journal.heads import head_of, keep
from trading.adapters.journal.reader import Closed, Tail
from trading.adapters.journal.segment import prepare_spare
from trading.adapters.snapshots import newest, save
from trading.processes.followers import begun
from trading.processes.settings import ShardSettings
from trading.usecases.replay import replay
from trading.usecases.tape import Tape

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.1
BLOCKS = 64
"""Read in one round at most: a keeper that is far behind holds no more than these in memory, 1 MB of records."""
HEAD_SECONDS = 1.0
SPARE_SECONDS = 5.0
"""Pause between two tries on a disk that is full."""


class Keeper:
    """Keeps one journal, round by round."""

    def __init__(self, settings: ShardSettings) -> None:
        self._settings = settings
        self._engine = newest(settings.snapshots)
        self._saved = self._engine.sequence
        self._tail = Tail(settings.journal, after=self._engine.sequence)
        self._key = settings.heads_key.read_bytes() if settings.heads_key else b""
        self._depth, self._tape = DepthFiles(settings.folder), Tape(self._engine.now_us)
        self._unsigned: Closed | None = None
        self._signed_at = self._spare_at = 0.0
        self._unwritten: set[str] = set()

    def round(self, now: float) -> bool:
        """Follow the journal by some blocks; whether there may be more at once. Raises ReplayDiffers, JournalDamaged."""
        blocks = self._tail.poll(BLOCKS)
        for closed in blocks:
            replay(self._engine, closed.records)
            self._tape.take(closed.records)
            self._unsigned = closed
            if self._engine.sequence - self._saved >= self._settings.snapshot_inputs:
                with self._where_there_is_room("snapshot"):
                    save(self._settings.snapshots, self._engine)
                self._saved = self._engine.sequence
        with self._where_there_is_room("depth"):
            self._depth.write(self._engine, self._tape)
        if self._settings.heads and self._unsigned and now - self._signed_at >= HEAD_SECONDS:
            keep(self._settings.heads, head_of(self._unsigned), self._key)
            self._unsigned, self._signed_at = None, now
        if now >= self._spare_at:
            try:
                prepare_spare(self._settings.journal, self._settings.segment_bytes)
            except JournalFull as error:
                log.warning("journal_full", extra={"reason": str(error)})
                self._spare_at = now + SPARE_SECONDS
        return len(blocks) == BLOCKS

    @contextmanager
    def _where_there_is_room(self, what: str) -> Iterator[None]:
        """What only saves time, or is looked at, is left out while the disk takes nothing; said once until it is written again."""
        try:
            yield
        except OSError as error:
            if what not in self._unwritten:
                log.warning("keeper_cannot_write", extra={"what": what, "reason": str(error)})
            self._unwritten.add(what)
        else:
            self._unwritten.discard(what)


def main(settings: ShardSettings) -> None:
    """The process: where `multiprocessing` begins."""
    ended = begun(settings, PAUSE_SECONDS)
    if ended():
        return
    keeper = Keeper(settings)
    while not ended():
        if not keeper.round(time.monotonic()):
            time.sleep(PAUSE_SECONDS)
    while keeper.round(time.monotonic()):
        pass
