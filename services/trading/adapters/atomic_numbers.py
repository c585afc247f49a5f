"""Numbers in memory that another process reads meanwhile, or that outlive a SIGKILL: each is written by one store, and read by one load.

`struct.pack_into` is no such thing: it writes zeros first and then byte by byte, so a reader may see 0 or a part of the number, and a
kill in between leaves that. An item of a cast memoryview is copied as a whole, and processors keep an aligned number whole. The bytes are
in the processor's own order, little-endian wherever this runs.
"""

from typing import Literal

Kind = Literal["Q", "I"]
"""Unsigned numbers of 8 and of 4 bytes."""


def numbers(buffer: "memoryview | bytearray | object", kind: Kind = "Q") -> memoryview:
    """The numbers of a buffer that can be written, one an item. Who closes the buffer calls `release` of this before."""
    return memoryview(buffer).cast("B").cast(kind)  # type: ignore[arg-type]
