"""Reads the engine's journal without any code of the service: what it says of orders, for the verdict.

A segment is a page of 4096 bytes and frames: `size u32 | crc u32 | kind u8 and sequence u56 | body`, padded to 8 bytes; a size of 0 ends
it. A frame of kind 1 has records, each `length u32 | record`; a record is 64-byte messages, the input and its outcomes. Numbers are
little-endian and packed. Checksums and the hash chain are checked by the service's own audit, which evidence.py runs besides.
"""

import struct
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from conductor.capstones.trading.rule_check import RuleCheck, Said

PAGE, SLOT = 4096, 64
FRAME = struct.Struct("<IIQ")
LENGTH = struct.Struct("<I")
GROUP, HOLDER = 1, 3
SEQUENCE = (1 << 56) - 1
NEW, ACKNOWLEDGED, REFUSED, EXECUTED = 1, 1, 2, 3
HEAD = struct.Struct("<BIqq")
"""Of an outcome of a client: kind, session, client id, order id (not of a refusal)."""
EXECUTION = struct.Struct("<BIqqIIBIIIIqqB")
"""Kind, session, client id, order, account, symbol, side, price, lots, filled, open, value, trade, resting."""

Key = tuple[int, int]


@dataclass(slots=True)
class Journaled:
    """What a journal holds."""

    taken: Counter[Key] = field(default_factory=Counter)
    """By session and client id, how many orders were taken."""
    order_ids: dict[Key, int] = field(default_factory=dict)
    """The input of each order that was taken."""
    refused: dict[Key, Said | None] = field(default_factory=dict)
    """Orders and other requests; with the rule and its numbers where it is one of an order's limits, kill switches or phases."""
    wrong: list[str] = field(default_factory=list)
    """What the engine did against the rules."""
    fills: dict[Key, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By order, lots by ExecID."""
    sides: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    """By symbol, trade and side, how often it was executed."""
    inputs: int = 0
    holders: list[int] = field(default_factory=list)
    """The epochs of the engines that held it, in order."""
    begins: list[int] = field(default_factory=list)
    """The first input of each."""
    gaps: list[str] = field(default_factory=list)
    """Sequence numbers that do not follow the one before."""


def read(folder: Path) -> Journaled:
    """All of a journal."""
    found, expected, rules = Journaled(), 1, RuleCheck()
    for path in sorted(folder.glob("segment-" + "[0-9]" * 12)):
        data = path.read_bytes()
        at = PAGE
        while at + FRAME.size <= len(data):
            size, _, word = FRAME.unpack_from(data, at)
            if not size:
                break
            kind, sequence, body = word >> 56, word & SEQUENCE, data[at + FRAME.size : at + FRAME.size + size]
            if kind == HOLDER:
                found.holders.append(int.from_bytes(body[:8], "little"))
                found.begins.append(sequence)
            elif kind == GROUP:
                if sequence != expected:
                    found.gaps.append(f"{path.name}: {sequence} follows {expected - 1}")
                expected = sequence + _group(sequence, body, found, rules)
            at += FRAME.size + (size + 7 & ~7)
    found.inputs, found.wrong = expected - 1, rules.wrong
    return found


def _group(first: int, body: bytes, found: Journaled, rules: RuleCheck) -> int:
    """The number of records of a commit."""
    at = count = 0
    while at < len(body):
        (length,) = LENGTH.unpack_from(body, at)
        at += LENGTH.size
        message, *outcomes = (body[slot : slot + SLOT] for slot in range(at, at + length, SLOT))
        said = rules.follow(first + count, message, outcomes)
        for outcome in outcomes:
            _outcome(outcome, found, said)
        at += length
        count += 1
    return count


def _outcome(message: bytes, found: Journaled, said: Said | None) -> None:
    kind, session, client_id, order_id = HEAD.unpack_from(message)
    if kind == ACKNOWLEDGED:
        found.taken[session, client_id] += 1
        found.order_ids[session, client_id] = order_id
    elif kind == REFUSED:
        found.refused[session, client_id] = said
    elif kind == EXECUTED:
        _, _, _, _, _, symbol, side, _, lots, _, _, _, trade, resting = EXECUTION.unpack_from(message)
        found.fills[session, client_id][f"T{symbol}-{trade}-{resting}"] += lots
        found.sides[symbol, trade, side] += 1
