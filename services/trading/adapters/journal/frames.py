"""Frames: what a segment consists of after its header. Pure functions over a buffer.

A frame is `size u32 | crc32 u32 | kind u8 and sequence u56 | body`, padded to 8 bytes. `size` is the length of the body; it is written
last, so a frame whose writer was killed half way does not exist. A size of 0 ends the segment. There are three kinds:

- GROUP: the records of one commit, each `length u32 | record`. Its sequence is that of the first record.
- BLOCK: closes all frames since the last BLOCK under one link of the hash chain. Its sequence is that of the next record.
- HOLDER: a process began to write: epoch, level, version of the code. Its sequence is that of the next record.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

GROUP, BLOCK, HOLDER = 1, 2, 3
HEADER = struct.Struct("<IIQ")
REST = struct.Struct("<IQ")
SIZE = struct.Struct("<I")
BLOCK_BODY = struct.Struct("<8sQQQQ32s")
BLOCK_MAGIC = b"TRDBLOCK"
HOLDER_BODY = struct.Struct("<QB")
DIGEST_BYTES = 32
_ZEROS = bytes(1 << 20)
_SEQUENCE_BITS = 56
_SEQUENCE_MASK = (1 << _SEQUENCE_BITS) - 1

Buffer = Any
"""mmap, memoryview or bytes: whatever has slices of bytes."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that is there and whose checksum is right."""

    offset: int
    end: int
    kind: int
    sequence: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A closed block: its number in the journal, where its first frame lies, its first record, and the chain up to here."""

    number: int
    epoch: int
    start: int
    first_sequence: int
    next_sequence: int
    chain: bytes


@dataclass(frozen=True, slots=True)
class Bad:
    """Bytes where a frame should be. `reason` says what is wrong with them."""

    offset: int
    reason: str


def word(kind: int, sequence: int) -> int:
    """Kind and sequence as they stand in a header."""
    return kind << _SEQUENCE_BITS | sequence


def padded(size: int) -> int:
    """Bytes that a frame with a body of `size` bytes takes."""
    return HEADER.size + (size + 7 & ~7)


BLOCK_FRAME = padded(BLOCK_BODY.size)
"""Bytes that a frame takes that closes a block."""


def checksum(body: bytes, word: int) -> int:
    """CRC of a body, bound to its place in the sequence and to its length."""
    return zlib.crc32(body, (word ^ word >> 32 ^ len(body)) & 0xFFFFFFFF)


def frame_at(buffer: Buffer, offset: int, limit: int) -> Frame | Bad | None:
    """The frame at `offset`, None where the segment ends, or what is wrong with the bytes there."""
    if offset + HEADER.size > limit:
        return None
    size, crc, kind_and_sequence = HEADER.unpack_from(buffer, offset)
    if size == 0:
        return None
    if offset + padded(size) > limit:
        return Bad(offset, f"a frame of {size} bytes does not fit into the segment")
    body = bytes(buffer[offset + HEADER.size : offset + HEADER.size + size])
    if checksum(body, kind_and_sequence) != crc:
        return Bad(offset, "a frame has another checksum")
    kind, sequence = kind_and_sequence >> _SEQUENCE_BITS, kind_and_sequence & _SEQUENCE_MASK
    if kind not in (GROUP, BLOCK, HOLDER):
        return Bad(offset, f"a frame is of unknown kind {kind}")
    return Frame(offset, offset + padded(size), kind, sequence, body)


def records(frame: Frame) -> Iterator[tuple[int, bytes]]:
    """The records of a GROUP with their sequence numbers."""
    body, at, sequence = frame.body, 0, frame.sequence
    while at < len(body):
        (length,) = SIZE.unpack_from(body, at)
        at += SIZE.size
        yield sequence, body[at : at + length]
        at += length
        sequence += 1


def count(frame: Frame) -> int:
    """How many records a frame holds."""
    return sum(1 for _ in records(frame)) if frame.kind == GROUP else 0


def link(chain: bytes, content: Buffer) -> bytes:
    """The next link of the hash chain, over the frames of one block."""
    digest = hashlib.sha256(chain)
    digest.update(content)
    return digest.digest()


def block_body(block: Block) -> bytes:
    """The body of the frame that closes a block."""
    return BLOCK_BODY.pack(BLOCK_MAGIC, block.number, block.epoch, block.start, block.first_sequence, block.chain)


def block_of(frame: Frame) -> Block:
    """The block that a BLOCK frame closes."""
    _, number, epoch, start, first, chain = BLOCK_BODY.unpack(frame.body)
    return Block(number, epoch, start, first, frame.sequence, chain)


def written_end(buffer: Buffer, start: int) -> int:
    """The offset behind the last byte from `start` on that is not zero; `start` when all are. A new segment is all zeros, and compared by
    the megabyte that takes a hundredth of what stripping them byte by byte does.
    """
    end = len(buffer)
    while end > start:
        at = max(start, end - len(_ZEROS))
        chunk = bytes(buffer[at:end])
        if chunk != _ZEROS[: end - at]:
            return at + len(chunk.rstrip(b"\0"))
        end = at
    return start


def last_block(buffer: Buffer, limit: int) -> tuple[Block, int] | None:
    """The last closed block of a segment and the offset behind its frame, or None when no block was closed in it."""
    at = buffer.rfind(BLOCK_MAGIC)
    while at >= 0:
        frame = frame_at(buffer, at - HEADER.size, limit)
        if isinstance(frame, Frame) and frame.kind == BLOCK:
            return block_of(frame), frame.end
        at = buffer.rfind(BLOCK_MAGIC, 0, at)
    return None
