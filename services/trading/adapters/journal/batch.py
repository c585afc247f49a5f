"""Closed blocks of a journal as one message: what its tail publishes and consumers apply. Pure.

A batch consists of whole blocks that follow each other. It names the journal by the hash of its first block, and the links of the hash
chain before it and after each block, so that a consumer tells a journal that was made anew, or whose end was lost and written again, from
the one that it follows. Records are as the journal has them: the input, then its outcomes, 64 bytes each.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from trading.adapters.journal.frames import DIGEST_BYTES, SIZE
from trading.adapters.journal.reader import Closed

MAGIC = b"TRDTAIL1"
_HEAD = struct.Struct(f"<8sIII{DIGEST_BYTES}s{DIGEST_BYTES}sQ")
_BLOCK = struct.Struct(f"<Q{DIGEST_BYTES}s")
SLOT = 64


class BatchRefused(ValueError):
    """Bytes that are no batch; says what is wrong with them."""


@dataclass(frozen=True, slots=True)
class JournalBatch:
    """Records of one shard from `first_sequence` on, without a gap."""

    shard: int
    journal: bytes
    """Hash of the journal's first block."""
    before: bytes
    """The hash chain up to the batch."""
    first_sequence: int
    blocks: tuple[tuple[int, bytes], ...]
    """The last sequence number of each block, and the hash chain up to there."""
    records: Sequence[bytes]

    @property
    def last_sequence(self) -> int:
        """The sequence number of the last record."""
        return self.first_sequence + len(self.records) - 1

    def chain_at(self, sequence: int) -> bytes | None:
        """The hash chain up to a sequence number; None where no block of this batch ends or begins."""
        if sequence == self.first_sequence - 1:
            return self.before
        return next((chain for last, chain in self.blocks if last == sequence), None)

    def encode(self) -> bytes:
        """The batch as the body of a message."""
        head = _HEAD.pack(
            MAGIC, self.shard, len(self.blocks), len(self.records), self.journal, self.before, self.first_sequence
        )
        blocks = [_BLOCK.pack(last, chain) for last, chain in self.blocks]
        return b"".join([head, *blocks, *(part for one in self.records for part in (SIZE.pack(len(one)), one))])


def batch_of(shard: int, journal: bytes, before: bytes, closed: Sequence[Closed]) -> JournalBatch:
    """Blocks that a tail gave, as a batch. Each holds all of its records."""
    return JournalBatch(
        shard,
        journal,
        before,
        closed[0].block.first_sequence,
        tuple((one.block.next_sequence - 1, one.block.chain) for one in closed),
        [record for one in closed for _, record in one.records],
    )


def decode(body: bytes) -> JournalBatch:
    """The batch in the body of a message; raises BatchRefused."""
    if len(body) < _HEAD.size or not body.startswith(MAGIC):
        raise BatchRefused(f"{len(body)} bytes that begin with {body[:8]!r} are no batch of a journal")
    _, shard, blocks, count, journal, before, first = _HEAD.unpack_from(body)
    at = _HEAD.size + blocks * _BLOCK.size
    if at > len(body):
        raise BatchRefused(f"a batch of {blocks} blocks ends after {len(body)} bytes")
    ends = tuple(_BLOCK.iter_unpack(body[_HEAD.size : at]))
    records: list[bytes] = []
    while at < len(body):
        length = SIZE.unpack_from(body, at)[0] if at + SIZE.size <= len(body) else 0
        at += SIZE.size
        if not length or length % SLOT or at + length > len(body):
            raise BatchRefused(f"record {len(records) + 1} of {count} at byte {at} has {length} bytes")
        records.append(body[at : at + length])
        at += length
    batch = JournalBatch(shard, journal, before, first, ends, records)
    lasts = [last for last, _ in ends]
    if len(records) != count or not lasts or lasts != sorted(set(lasts)) or lasts[-1] != batch.last_sequence:
        raise BatchRefused(
            f"a batch from {first} with {len(records)} of {count} records has blocks that end at {lasts}"
        )
    return batch
