"""Reads a journal, also while it is written. May read a record again after a restart; the sequence number tells.

`records` reads all that was committed, for who holds the journal or knows that nobody writes, and for an audit of one that is written.
`Tail` follows a writer and gives closed blocks only: their hash proves that they are whole, on processors whose stores are seen in another
order as well. Of a writer at level `disk` it gives them when they are on the disk: after a power failure the same records would be closed
in other blocks.
"""

import mmap
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from trading.adapters.journal import frames
from trading.adapters.journal.errors import JournalDamaged
from trading.adapters.journal.frames import BLOCK_FRAME, Bad, Block, Frame
from trading.adapters.journal.segment import PAGE, Header, header_of, map_for_reading, path_of, segments, synced_to
from trading.adapters.journal.walk import Walk

PATIENCE_SECONDS = 1.0
"""How long a tail takes a wrong frame for one that another processor has not seen whole."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed block with its records, each with its sequence number."""

    segment: int
    block: Block
    records: list[tuple[int, bytes]]


def records(folder: Path, after: int = 0) -> Iterator[tuple[int, bytes]]:
    """Every committed record whose sequence number is above `after`, in order. The hash chain is not checked.

    Raises JournalDamaged where a frame is wrong or a sequence number is missing; what came before was given already.
    """
    expected = None
    for path in segments_from(folder, after + 1):
        header = header_of(path)
        if expected not in (None, header.first_sequence):
            raise JournalDamaged(path, 0, f"sequence number {expected} is missing, {header.first_sequence} follows")
        expected = header.first_sequence
        with map_for_reading(path) as buffer:
            offset, expected = _near(buffer, header, after + 1)
            while frame := _frame(path, buffer, offset, header.size):
                if isinstance(frame, Bad):
                    raise JournalDamaged(path, frame.offset, frame.reason)
                if frame.sequence != expected:
                    raise JournalDamaged(
                        path, offset, f"sequence number {expected} is missing, {frame.sequence} follows"
                    )
                offset = frame.end
                if frame.kind != frames.GROUP:
                    continue
                for sequence, record in frames.records(frame):
                    if sequence > after:
                        yield sequence, record
                    expected = sequence + 1


def _frame(path: Path, buffer: mmap.mmap, offset: int, limit: int) -> Frame | Bad | None:
    """What is at an offset; None at the end of what was written. Raises JournalDamaged when a closed block is behind that."""
    frame = frames.frame_at(buffer, offset, limit)
    if frame is None and (found := frames.last_block(buffer, limit)) and found[1] > offset:
        # A writer that is at work may have gone on since.
        frame = frames.frame_at(buffer, offset, limit)
        if frame is None:
            raise JournalDamaged(path, offset, "no frame is here, but a closed block follows")
    return frame


def segments_from(folder: Path, sequence: int) -> list[Path]:
    """The segments that hold a sequence number and what follows it."""
    paths = segments(folder)
    for index in range(len(paths) - 1, -1, -1):
        if header_of(paths[index]).first_sequence <= sequence:
            return paths[index:]
    return paths


def _near(buffer: mmap.mmap, header: Header, sequence: int) -> tuple[int, int]:
    """Offset and first sequence number of the last closed block that begins at or before `sequence`, or of the segment.

    Goes from block to block backwards, so that a start from a snapshot reads what follows the snapshot and not the segment.
    """
    for block in _blocks(buffer, header):
        if block.first_sequence <= sequence:
            return block.start, block.first_sequence
    return PAGE, header.first_sequence


def _blocks(buffer: mmap.mmap, header: Header) -> Iterator[Block]:
    """The closed blocks of a segment, the last one first."""
    found = frames.last_block(buffer, header.size)
    while found:
        block, _ = found
        yield block
        # What comes before a block in a segment is the frame that closed the one before.
        previous = frames.frame_at(buffer, block.start - BLOCK_FRAME, header.size) if block.start > PAGE else None
        found = None
        if isinstance(previous, Frame) and previous.kind == frames.BLOCK:
            found = frames.block_of(previous), previous.end


def chains_at(folder: Path, sequence: int) -> list[bytes]:
    """The hash chain where blocks end with a sequence number: empty when none does, several where blocks without records follow."""
    found: list[bytes] = []
    for path in reversed(segments(folder)):
        header = header_of(path)
        if header.first_sequence == sequence + 1:
            found.append(header.chain)
        with map_for_reading(path) as buffer:
            ends = takewhile(lambda block: block.next_sequence > sequence, _blocks(buffer, header))
            found += [block.chain for block in ends if block.next_sequence == sequence + 1]
        if header.first_sequence <= sequence:
            break
    return found


def first_chain(folder: Path) -> bytes | None:
    """The hash chain behind the first block that holds records, by which journals are told apart; None before there is one."""
    path = next(iter(segments(folder)), None)
    if path is None:
        return None
    with map_for_reading(path) as buffer:
        walk = Walk(buffer, header_of(path))
        for frame in walk.frames():
            if frame.kind == frames.BLOCK and walk.next_sequence > 1:
                return frames.block_of(frame).chain
    return None


class Tail:
    """Follows the writer of a journal block by block. The journal must have a segment already."""

    def __init__(self, folder: Path, after: int = 0) -> None:
        self._folder, self._after = folder, after
        self._waiting: list[tuple[int, bytes]] = []
        self._closed: deque[tuple[int, Closed]] = deque()
        """Where each ends in the segment."""
        self._bad_since: float | None = None
        self._buffer: mmap.mmap | None = None
        self._enter(segments_from(folder, after + 1)[0])

    def poll(self, most: int = sys.maxsize) -> list[Closed]:
        """The blocks that were closed since the last call, at most so many, those with nothing above `after` left out; raises
        JournalDamaged."""
        found: list[Closed] = []
        while True:
            following = path_of(self._folder, self._walk.header.number + 1)
            # Looked for first: the writer closes a segment before it makes the next one, so that all of this one is read then.
            ended = following.exists()
            if len(found) + len(self._closed) < most:
                for frame in self._walk.frames():
                    self._bad_since = None
                    self._see(frame)
                    if len(found) + len(self._closed) == most:
                        break
            self._give(found)
            if self._closed or len(found) == most:
                return found
            if self._walk.bad:
                self._doubt(self._walk.bad)
                return found
            if not ended:
                return found
            self._enter(following)

    def close(self) -> None:
        """Let go of the segment."""
        if self._buffer is not None:
            self._buffer.close()

    def _give(self, found: list[Closed]) -> None:
        """Move what is on the disk, or of a writer that promises no disk."""
        assert self._buffer is not None
        synced = synced_to(self._buffer)
        while self._closed and (not synced or self._closed[0][0] <= synced):
            found.append(self._closed.popleft()[1])

    def _see(self, frame: Frame) -> None:
        if frame.kind == frames.GROUP:
            self._waiting += [one for one in frames.records(frame) if one[0] > self._after]
        elif frame.kind == frames.BLOCK:
            if self._waiting:
                closed = Closed(self._walk.header.number, frames.block_of(frame), self._waiting)
                self._closed.append((frame.end, closed))
            self._waiting = []

    def _doubt(self, bad: Bad) -> None:
        now = time.monotonic()
        if self._bad_since is None:
            self._bad_since = now
        elif now - self._bad_since > PATIENCE_SECONDS:
            raise JournalDamaged(path_of(self._folder, self._walk.header.number), bad.offset, bad.reason)

    def _enter(self, path: Path) -> None:
        self.close()
        self._buffer = map_for_reading(path)
        self._walk = Walk(self._buffer, header_of(path))
