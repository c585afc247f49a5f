"""Decompresses a body within limits: of its length, and of how many times longer it is than what was sent (a bomb is thousands of times).

Nothing is decompressed beyond a limit, so the memory that a body takes is known before it is touched.
"""

import sys
import zlib
from collections.abc import Callable
from typing import Any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEAST_BYTES = 64 * 1024
"""A body may always be this long, whatever the ratio: a short one that repeats itself is no bomb."""

GZIP = 31
"""zlib's window bits for gzip with its header and checksum."""


class TooLong(Exception):
    """A body is longer after decompression than it may be."""


class Undecodable(Exception):
    """A body is not what its Content-Encoding says, or was cut off."""


def decoded(body: bytes, encoding: str, *, limit: int, ratio: float) -> bytes:
    """The body without its Content-Encoding (`identity`, `gzip` or `zstd`). Raises TooLong, Undecodable, and KeyError for another one."""
    decode = _DECODERS[encoding]
    return decode(body, min(limit, max(LEAST_BYTES, int(len(body) * ratio))))


def _identity(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise TooLong(f"is longer than {limit} bytes")
    return body


def _gzip(body: bytes, limit: int) -> bytes:
    return _members(body, limit, "gzip", lambda: zlib.decompressobj(GZIP), zlib.error)


def _zstd(body: bytes, limit: int) -> bytes:
    def decoder() -> Any:
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 23})

    return _members(body, limit, "zstd", decoder, zstd.ZstdError)


def _members(body: bytes, limit: int, name: str, decoder_of: Callable[[], Any], broken: type[Exception]) -> bytes:
    """Several members one after the other, each with a decoder of its own (RFC 1952, 2.2; RFC 8878, 3)."""
    found = bytearray()
    while body:
        decoder = decoder_of()
        try:
            found += decoder.decompress(body, limit + 1 - len(found))
        except broken as error:
            raise Undecodable(f"is no {name}: {error}") from None
        if len(found) > limit:
            raise TooLong(f"is longer than {limit} bytes after decompression")
        if not decoder.eof:
            raise Undecodable(f"is {name} that was cut off")
        body = decoder.unused_data
    return bytes(found)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {"identity": _identity, "gzip": _gzip, "zstd": _zstd}
ENCODINGS = tuple(_DECODERS)
