"""The writer of a journal: one process at a time, and no system call a record unless the level is `disk`.

A commit copies its records into the mapped segment and writes their length last, so they survive a SIGKILL of the writer from then on.
At level `disk` they are written by `pwrite`, and an fdatasync follows, which covers all that was committed before it. The map is read
only: a store into it would make a whole folio of the page cache dirty, up to a megabyte, and each fdatasync would write all of it.
"""

import errno
import fcntl
import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from zlib import crc32

from trading.adapters.atomic_numbers import numbers
from trading.adapters.journal import frames
from trading.adapters.journal.errors import JournalError, JournalHeld, RecordTooLarge
from trading.adapters.journal.frames import BLOCK, BLOCK_FRAME, GROUP, HEADER, HOLDER, REST, SIZE, Block, padded
from trading.adapters.journal.recovery import recovered
from trading.adapters.journal.segment import (
    PAGE,
    SYNCED,
    SYNCED_AT,
    Header,
    create,
    path_of,
    segments,
    sync_unsynced,
)

Level = Literal["process", "disk"]

SEGMENT_BYTES = 64 << 20
BLOCK_BYTES = 16 << 10
"""The order that closes a block waits for its hash: 14 µs, where 64 KiB take 45. More blocks than that cost more than they save."""

_GROUP_WORD = frames.word(GROUP, 0)
_length, _rest = SIZE.pack, REST.pack


class Journal:
    """A journal that this process holds. Not for several threads.

    `segment_bytes` is the size of new segments; an eighth of it is kept free for what one commit may bring. A block is closed as soon as it
    has `block_bytes`. Raises JournalHeld, JournalDamaged, JournalFull.
    """

    epoch: int
    """Counts the writers of this journal from 1."""
    next_sequence: int
    _file: int
    _map: mmap.mmap
    _head: mmap.mmap
    _sizes: memoryview
    """The segment as numbers of 4 bytes."""
    _synced: memoryview
    """The segment as numbers of 8 bytes."""
    _size: int
    _number: int
    _end: int
    _chain: bytes
    _next_block: int
    _block_start: int
    _block_sequence: int

    def __init__(
        self,
        folder: Path,
        *,
        level: Level,
        code_version: str,
        segment_bytes: int = SEGMENT_BYTES,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        if segment_bytes % PAGE or not 16 * PAGE <= segment_bytes < 1 << 32:
            raise JournalError(f"a segment has whole pages from 64 KiB to 4 GiB, asked for {segment_bytes} bytes")
        self.folder, self.level = folder, level
        self._disk = level == "disk"
        self._segment_bytes, self._block_bytes = segment_bytes, block_bytes
        self.commit_bytes = segment_bytes // 8
        """What one commit may take after `reserve`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _hold(folder)
        try:
            self._recover()
            if self._disk:
                sync_unsynced(folder)
            body = frames.HOLDER_BODY.pack(self.epoch, int(self._disk)) + code_version.encode()
            if self._end + padded(len(body)) + BLOCK_FRAME > self._size:
                self._roll()
            self._write(HOLDER, body)
            self.sync()
        except BaseException:
            os.close(self._lock)
            raise

    def reserve(self) -> None:
        """Make sure that `commit_bytes` fit, in a new segment if need be; raises JournalFull, and nothing is lost."""
        if self._size - self._end < self.commit_bytes:
            self._roll()

    def commit(self, records: list[bytes]) -> int:
        """Write records together and give the sequence number of the first; they last as `level` says when this returns."""
        if len(records) == 1:
            body = _length(len(records[0])) + records[0]
        else:
            body = b"".join([part for record in records for part in (_length(len(record)), record)])
        size, at, first = len(body), self._end, self.next_sequence
        if at + padded(size) + BLOCK_FRAME > self._size:
            self._roll()
            at = self._end
            if at + padded(size) + BLOCK_FRAME > self._size:
                raise RecordTooLarge(f"{len(records)} records have {size} bytes, a segment {self._size}")
        # The same as `_write` with all its calls in one place: this runs once an order.
        word = _GROUP_WORD | first
        crc = crc32(body, (word ^ word >> 32 ^ size) & 0xFFFFFFFF)
        if self._disk:
            self._pwrite(at, size, _rest(crc, word) + body)
        else:
            self._map[at + 4 : at + 16 + size] = _rest(crc, word) + body
            self._sizes[at >> 2] = size
        self._end = at + (size + 23 & ~7)
        self.next_sequence = first + len(records)
        if self._disk:
            self.sync()
        # After the sync: a closed block says that all of it is there, also when the power fails.
        if self._end - self._block_start >= self._block_bytes:
            self.close_block()
        return first

    def close_block(self) -> None:
        """Put what is open under the hash chain, so that readers see it; does nothing when nothing is open.

        At level `disk` they are given it after the next sync: what they pass on must not be closed in another way after a power failure.
        """
        if self._end == self._block_start:
            return
        chain = frames.link(self._chain, memoryview(self._map)[self._block_start : self._end])
        block = Block(self._next_block, self.epoch, self._block_start, self._block_sequence, self.next_sequence, chain)
        self._write(BLOCK, frames.block_body(block))
        self._chain, self._next_block = chain, block.number + 1
        self._block_start, self._block_sequence = self._end, self.next_sequence

    def settle(self) -> None:
        """Close what is open; at level `disk` wait until that is on the disk as well, so that readers are given it."""
        self.close_block()
        if self._disk and self._synced[SYNCED_AT // SYNCED.size] != self._end:
            self.sync()

    def sync(self) -> None:
        """Wait until all that was committed is on the disk."""
        os.fdatasync(self._file)
        # At level `process` what follows is not synced in order, so that a recovery must not judge by this mark.
        self._synced[SYNCED_AT // SYNCED.size] = self._end if self._disk else 0

    def close(self) -> None:
        """Close the open block, wait for the disk, and let the next writer in."""
        self.close_block()
        self.sync()
        _unmap(self._file, (self._map, self._head), (self._sizes, self._synced))
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, kind: int, body: bytes) -> None:
        at, size, word = self._end, len(body), frames.word(kind, self.next_sequence)
        rest = REST.pack(frames.checksum(body, word), word) + body
        if self._disk:
            self._pwrite(at, size, rest)
        else:
            self._map[at + SIZE.size : at + HEADER.size + size] = rest
            # Last and by one store, so that a frame exists when it is whole.
            self._sizes[at >> 2] = size
        self._end = at + padded(size)

    def _pwrite(self, at: int, size: int, rest: bytes) -> None:
        """Write a frame without a store into the map, its size last. Raises OSError, and then the frame does not exist.

        The kernel promises nobody else the size as a whole; a reader that sees a part of it sees another checksum, and looks again.
        """
        for offset, data in ((at + SIZE.size, rest), (at, SIZE.pack(size))):
            written = os.pwrite(self._file, data, offset)
            if written != len(data):
                raise OSError(
                    errno.EIO, f"{written} of {len(data)} bytes were written at {offset} of segment {self._number}"
                )

    def _recover(self) -> None:
        paths = segments(self.folder)
        if not paths:
            self.epoch, self.next_sequence, self._next_block, self._chain = 1, 1, 1, bytes(frames.DIGEST_BYTES)
            self._start(1)
            return
        self._open(paths[-1])
        with mmap.mmap(self._file, 0) as buffer:
            walk = recovered(paths[-1], buffer)
        self.epoch, self.next_sequence = walk.epoch + 1, walk.next_sequence
        self._number, self._end, self._chain, self._next_block = (
            walk.header.number,
            walk.offset,
            walk.chain,
            walk.next_block,
        )
        self._block_start, self._block_sequence = walk.block_start, walk.block_sequence

    def _start(self, number: int) -> None:
        header = Header(self._segment_bytes, self.epoch, number, self.next_sequence, self._next_block, self._chain)
        create(self.folder, header, synced=PAGE if self._disk else 0)
        self._open(path_of(self.folder, number))
        self._number, self._end = number, PAGE
        self._block_start, self._block_sequence = PAGE, self.next_sequence

    def _roll(self) -> None:
        self.close_block()
        if self._disk:
            self.sync()
        old = self._file, (self._map, self._head), (self._sizes, self._synced)
        self._start(self._number + 1)
        _unmap(*old)

    def _open(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR)
        self._map = mmap.mmap(self._file, 0, access=mmap.ACCESS_READ if self._disk else mmap.ACCESS_WRITE)
        # The mark is a number that others read, so it takes one store; its page has a folio of its own, see `prepare_spare`.
        self._head = mmap.mmap(self._file, PAGE)
        self._sizes, self._synced = numbers(self._map, "I"), numbers(self._head)
        self._size = len(self._map)


def _unmap(file: int, maps: tuple[mmap.mmap, ...], views: tuple[memoryview, ...]) -> None:
    for view in views:
        view.release()
    for mapped in maps:
        mapped.close()
    os.close(file)


def _hold(folder: Path) -> int:
    """The locked file of a journal; the kernel lets go of it when its process ends, however it ends."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise JournalHeld(folder) from None
    return lock
