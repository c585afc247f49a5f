"""How far a shard's journal was published: a file beside it, replaced whole after each confirmed batch.

It is not synced, so that no write of it holds up an engine that waits for the same disk. After a power failure it may be older, or empty:
what is then published again is told apart by its sequence numbers.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """The end of a published block: sequence number of its last record, and the hash chain up to there, in hex."""

    sequence: int
    chain: str


BEGINNING = Place(0, bytes(32).hex())


def read(path: Path) -> Place:
    """The place that was kept; the beginning of the journal when none was, or none that can be read."""
    try:
        fields = json.loads(path.read_text())
        place = Place(int(fields["sequence"]), str(fields["chain"]))
        bytes.fromhex(place.chain)
    except (OSError, ValueError, TypeError, KeyError):
        return BEGINNING
    return place


def keep(path: Path, place: Place) -> None:
    """Replace the place."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(asdict(place)))
    draft.rename(path)
