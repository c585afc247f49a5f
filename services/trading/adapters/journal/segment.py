"""Segments: the preallocated, mapped files of a journal, and the names under which they lie.

The first page is the header: who wrote it, its first sequence number, the number of its first block, and the hash chain so far. Frames
follow. Files are filled with zeros before they are used, so that a later fdatasync writes data and no metadata, and a full disk is met
before a record.
"""

import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from trading.adapters.journal.errors import JournalDamaged, JournalError, JournalFull

PAGE = 4096
MAGIC = b"TRDJRNL1"
HEADER = struct.Struct("<8sIIQQQ32s")
CRC = struct.Struct("<I")
SYNCED_AT, SYNCED = 2048, struct.Struct("<Q")
SPARE = "spare"
ZEROS = bytes(1 << 20)


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment says of itself: `number` counts from 1 without a gap, `epoch` made it, `chain` is the last link before it."""

    size: int
    epoch: int
    number: int
    first_sequence: int
    first_block: int
    chain: bytes

    def encode(self) -> bytes:
        """The header as bytes, with its checksum."""
        head = HEADER.pack(MAGIC, self.size, self.epoch, self.number, self.first_sequence, self.first_block, self.chain)
        return head + CRC.pack(zlib.crc32(head))


def path_of(folder: Path, number: int) -> Path:
    """Where the segment of a number lies."""
    return folder / f"segment-{number:012d}"


def segments(folder: Path) -> list[Path]:
    """The segments that there are, oldest first."""
    return sorted(folder.glob("segment-" + "[0-9]" * 12))


def header_of(path: Path) -> Header:
    """The header of a segment; raises JournalDamaged when it cannot be read."""
    with path.open("rb") as file:
        page = file.read(PAGE)
        size = os.fstat(file.fileno()).st_size
    if len(page) < PAGE:
        raise JournalDamaged(path, len(page), "the file is shorter than its header")
    head = page[: HEADER.size]
    if CRC.unpack_from(page, HEADER.size)[0] != zlib.crc32(head):
        raise JournalDamaged(path, 0, "the header has another checksum")
    magic, stated, epoch, number, first, block, chain = HEADER.unpack(head)
    if magic != MAGIC:
        raise JournalDamaged(path, 0, f"the header begins with {magic!r}")
    if stated != size:
        raise JournalDamaged(path, min(stated, size), f"the file has {size} bytes, its header says {stated}")
    if path.name != path_of(path.parent, number).name:
        raise JournalDamaged(path, 0, f"the header says that it is segment {number}")
    return Header(size, epoch, number, first, block, chain)


def prepare_spare(folder: Path, size: int) -> None:
    """Write the file that the next segment will be made of, unless it is there; raises JournalFull when the disk is.

    Safe beside the writer: the name appears when the file is whole.
    """
    spare = folder / SPARE
    if spare.exists():
        return
    draft = folder / f"{SPARE}.{os.getpid()}"
    try:
        with draft.open("wb") as file:
            # A write makes one folio of the page cache: that of the mark is a page, so that a store into it makes no more dirty.
            file.write(ZEROS[:PAGE])
            file.flush()
            file.seek(0)
            for _ in range(size // len(ZEROS)):
                file.write(ZEROS)
            file.write(ZEROS[: size % len(ZEROS)])
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise JournalFull(f"no room for a segment of {size} bytes in {folder}: {error.strerror}") from error
    draft.rename(spare)


def create(folder: Path, header: Header, *, synced: int) -> Path:
    """Make the segment of a header out of the spare file; raises JournalFull when there is no room for one.

    `synced` is the first value of its mark, see `synced_to`: PAGE for a writer at level `disk`, because the header is on the disk then.
    """
    prepare_spare(folder, header.size)
    spare = folder / SPARE
    if spare.stat().st_size != header.size:
        spare.unlink()
        prepare_spare(folder, header.size)
    path = path_of(folder, header.number)
    if path.exists():
        raise JournalError(f"{path} is there already")
    try:
        with spare.open("r+b") as file:
            file.write(header.encode())
            file.seek(SYNCED_AT)
            file.write(SYNCED.pack(synced))
            file.flush()
            os.fsync(file.fileno())
        spare.rename(path)
        sync_folder(folder)
    except OSError as error:
        raise JournalFull(f"{path} cannot be made: {error.strerror}") from error
    return path


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_unsynced(folder: Path) -> None:
    """Wait until the segments are on the disk whose writers were at level `process`: nobody else synced them when they were full."""
    for path in segments(folder):
        with path.open("rb") as file:
            if not SYNCED.unpack(os.pread(file.fileno(), SYNCED.size, SYNCED_AT))[0]:
                os.fdatasync(file.fileno())


def map_for_reading(path: Path) -> mmap.mmap:
    """A segment as a buffer that cannot be changed, and that follows its writer."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def synced_to(buffer: mmap.mmap) -> int:
    """The offset up to which the writer saw an fdatasync return; 0 when it is not at level `disk`. It may be older than the truth, never
    newer."""
    return int(SYNCED.unpack_from(buffer, SYNCED_AT)[0])
