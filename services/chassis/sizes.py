"""How much of a broker's message is read, run and kept. Pure.

A message is decoded in the event loop that also sends heartbeats, and a decoder makes up to a hundred bytes of memory out of one byte
of JSON. So sizes are judged before anything is decoded.
"""

from collections.abc import Mapping
from typing import Any

MAX_BODY_BYTES = 1024 * 1024
"""The longest body that is decoded and run: some fifty thousand ids, about a thousand times what the relay sends."""

MAX_HEADERS_WEIGHT = 64 * 1024
"""The most that headers or properties may hold, in characters and values. RabbitMQ's own limit is a frame, 128 KiB."""

MAX_DEPTH = 50
"""Lists and objects within each other. Encoders and decoders recurse, and give up at a depth that depends on who calls them."""

KEPT_BYTES = 4 * 1024 * 1024
"""The most that is kept of a body that cannot be run."""

MAX_ENTRY_BYTES = 192 * 1024 * 1024
"""The longest entry of a list that is decoded: the largest body that RabbitMQ takes by default, in base64."""

MAX_ENTRY_VALUES = 200_000
"""The most values, roughly, of an entry that is decoded; its body is one of them."""


def too_much(value: Any, most: int) -> str | None:
    """None when a decoded value weighs at most `most` and is at most MAX_DEPTH deep; else what is wrong with it, as an adjective."""
    weight = 0
    waiting = [(value, 0)]
    while waiting:
        inner, depth = waiting.pop()
        if depth > MAX_DEPTH:
            return f"nested deeper than {MAX_DEPTH}"
        weight += _weight(inner)
        if weight > most:
            return f"larger than {most}"
        if isinstance(inner, Mapping):
            waiting += [(part, depth + 1) for pair in inner.items() for part in pair]
        elif isinstance(inner, list | tuple):
            waiting += [(part, depth + 1) for part in inner]
    return None


def _weight(value: Any) -> int:
    if isinstance(value, str | bytes | bytearray | memoryview | list | tuple | Mapping):
        return 1 + len(value)
    return 1 + value.bit_length() // 8 if isinstance(value, int) else 1


def decodable(entry: bytes) -> bool:
    """Whether an entry of a list is small enough, and has few enough values, to be decoded in an event loop."""
    return (
        len(entry) <= MAX_ENTRY_BYTES and entry.count(b",") + entry.count(b"[") + entry.count(b"{") <= MAX_ENTRY_VALUES
    )
