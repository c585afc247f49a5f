"""Rebuilds an engine from its journal, and checks that every outcome is the one that the journal has. Pure but for what it reads.

A record of the journal is the message of an input followed by the messages of its outcomes.
"""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from trading import domain
from trading.adapters.layouts import OUTCOMES, decode_input, decode_outcome, slots
from trading.domain.engine import Engine
from trading.domain.records import Record

PROGRESS = 2000
"""Inputs between two calls of `progress`."""


class ReplayDiffers(Exception):
    """This version of the code makes of an input what the journal does not say; names the first sequence number."""

    def __init__(self, sequence: int, given: Record, journal: list[Record], replay: list[Record]) -> None:
        super().__init__(f"input {sequence} {given}: the journal has {journal}, the replay gives {replay}")
        self.sequence = sequence


def code_version() -> str:
    """A digest of the domain's source: two that are equal give equal outcomes."""
    digest = hashlib.sha256()
    for path in sorted(Path(domain.__path__[0]).glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"domain-{digest.hexdigest()[:16]}"


def replay(
    engine: Engine,
    records: Iterable[tuple[int, bytes]],
    *,
    until: int | None = None,
    progress: Callable[[], None] = lambda: None,
) -> int:
    """Apply the records that follow an engine's sequence number, up to `until`; gives how many inputs that were.

    Raises ReplayDiffers at the first input with other outcomes, with which the engine is then of no use.
    """
    applied = 0
    for sequence, record in records:
        if sequence <= engine.sequence:
            continue
        if until is not None and sequence > until:
            break
        if sequence != engine.sequence + 1:
            raise ReplayDiffers(sequence, (), [], [])
        message, journal = record[:64], record[64:]
        outcomes = engine.apply(decode_input(message))
        if b"".join([OUTCOMES[outcome[0]].pack(*outcome) for outcome in outcomes]) != journal:
            expected = [decode_outcome(slot) for slot in slots(journal)]
            raise ReplayDiffers(sequence, decode_input(message), expected, outcomes)
        applied += 1
        if not applied % PROGRESS:
            progress()
    return applied
