"""Parts: the unit in which events are counted once. Pure.

A request body is cut every `PART_EVENTS` positions, refused events included, so the cut depends on the body alone. A client that got no
answer sends the same body with the same key again, and each of its parts has the id it had before, whatever batch it lands in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from analytics.domain.events import Event

PART_EVENTS = 5000
"""Positions of the body in one part. It must never change: a retry that meets a new version would be cut in another way."""

ID_BYTES = 16

MOST_SHARDS = 64
"""Most shards that parts are divided among."""


@dataclass(frozen=True, slots=True)
class Part:
    """Events of one request that are counted all or not at all."""

    id: bytes
    events: Sequence[Event]
    refused: int = 0
    """Events of the same positions that were refused."""


def part_id(client: str, key: str, number: int) -> bytes:
    """The id of a client's part: the same for the same three, and 16 bytes whatever their length."""
    return blake2b(f"{client}\0{key}\0{number}".encode("utf-8", "surrogateescape"), digest_size=ID_BYTES).digest()


def cut(client: str, key: str, events: Sequence[Event | None]) -> Iterator[Part]:
    """The parts of a body; `events` has None where one was refused."""
    for number, start in enumerate(range(0, len(events), PART_EVENTS)):
        positions = events[start : start + PART_EVENTS]
        kept = [event for event in positions if event is not None]
        yield Part(part_id(client, key, number), kept, len(positions) - len(kept))


def shard_of(part: bytes, shards: int) -> int:
    """The shard, from 0, that a part is counted in: always the same one, because only that shard knows whether it was counted."""
    return int.from_bytes(part[:8], "big") % shards
