"""Proves that nothing in a journal is missing or changed: every frame, every link of the hash chain, every signed head.

What no block holds yet, and what a writer that was killed left unfinished, is counted and is no finding: it is under no hash.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from trading.adapters.journal import frames
from trading.adapters.journal.errors import JournalDamaged
from trading.adapters.journal.heads import Head
from trading.adapters.journal.recovery import refuse_a_damaged_end
from trading.adapters.journal.segment import header_of, map_for_reading, segments
from trading.adapters.journal.walk import Walk


@dataclass(slots=True)
class Verified:
    """What was read. `findings` is empty when the journal is sound."""

    segments: int = 0
    blocks: int = 0
    records: int = 0
    open_records: int = 0
    epoch: int = 0
    heads: int = 0
    findings: list[str] = field(default_factory=list)
    holders: list[tuple[int, int, int, str]] = field(default_factory=list)


def verify(folder: Path, heads: Iterable[Head] = ()) -> Verified:
    """Read a whole journal and say what is wrong with it; never raises for what it finds in a file. May run beside the writer."""
    verified, wanted = Verified(), {}
    try:
        for head in heads:
            wanted[head.block] = head
            verified.heads += 1
    except JournalDamaged as error:
        verified.findings.append(str(error))
    try:
        _read(folder, verified, wanted)
    except JournalDamaged as error:
        verified.findings.append(str(error))
    if not verified.findings:
        verified.findings += [
            f"the signed head of block {block} is not in the journal: it was cut, it ends before sequence number"
            f" {head.last_sequence}"
            for block, head in sorted(wanted.items())[:1]
        ]
    return verified


def _read(folder: Path, verified: Verified, wanted: dict[int, Head]) -> None:
    walk: Walk | None = None
    paths = segments(folder)
    if not paths:
        verified.findings.append(f"{folder} holds no segment")
    for index, path in enumerate(paths):
        header = header_of(path)
        following = (
            (walk.header.number + 1, walk.next_sequence, walk.next_block, walk.chain) if walk else (1, 1, 1, bytes(32))
        )
        names = ("segment", "sequence number", "block", "chain")
        found = (header.number, header.first_sequence, header.first_block, header.chain)
        for name, expected, there in zip(names, following, found, strict=True):
            if expected != there:
                raise JournalDamaged(path, 0, f"{name} {_text(expected)} is missing, {_text(there)} follows")
        with map_for_reading(path) as buffer:
            walk = Walk(buffer, header)
            for frame in walk.frames():
                if frame.kind == frames.BLOCK:
                    verified.blocks += 1
                    _compare(path, walk, wanted)
            verified.segments += 1
            verified.records, verified.epoch = walk.next_sequence - 1, walk.epoch
            verified.open_records = walk.next_sequence - walk.block_sequence
            verified.holders += walk.holders
            _judge_the_end(path, walk, last=index == len(paths) - 1)


def _judge_the_end(path: Path, walk: Walk, *, last: bool) -> None:
    """Raise JournalDamaged when what ends the segment is no end of a journal."""
    if not last and (walk.bad or walk.block_start != walk.offset):
        reason = walk.bad.reason if walk.bad else "the last block is open"
        raise JournalDamaged(path, walk.offset, f"{reason}, but another segment follows")
    found = frames.last_block(walk.buffer, walk.header.size)
    try:
        if found and found[1] > walk.offset:
            reason = walk.bad.reason if walk.bad else "no frame is here"
            raise JournalDamaged(path, walk.offset, f"{reason}, but a closed block follows")
        refuse_a_damaged_end(path, walk)
    except JournalDamaged:
        # A writer that is at work may have gone on since.
        walk.bad = None
        if next(walk.frames(), None) is None:
            raise


def _compare(path: Path, walk: Walk, wanted: dict[int, Head]) -> None:
    block = walk.last_block
    head = wanted.pop(block.number, None) if block else None
    if block and head and (head.chain, head.last_sequence) != (block.chain.hex(), block.next_sequence - 1):
        raise JournalDamaged(path, block.start, f"block {block.number} is not the one whose head was signed")


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
