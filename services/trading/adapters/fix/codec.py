"""FIX 4.4 messages as bytes: frames out of a stream, fields out of a frame, and back. Pure.

Only what the few messages of this gateway need: no repeating groups, no encrypted or raw data fields. A frame whose length or checksum
is wrong is garbled: the standard says to ignore it, as if it had not been sent. Source: FIX 4.4 with errata 20030618, volume 2.
"""

from collections.abc import Iterator
from zlib import adler32

BEGIN = b"8=FIX.4.4\x01"
SOH = b"\x01"
MAX_BYTES = 4096
"""Of a message. The longest that a client of this gateway has to send has about 300."""
_LENGTH_AT = len(BEGIN) + 2
_TRAILER = len(b"10=000\x01")

Fields = dict[int, bytes]
"""Values by tag. Header and body together; without 8, 9 and 10."""


class Garbled(ValueError):
    """Bytes that are no message; says why. The stream goes on behind them."""


class Oversized(ValueError):
    """A message that is longer than MAX_BYTES, or bytes that will never be one. The stream cannot go on."""


def checksum(data: bytes) -> int:
    """Sum of all bytes modulo 256."""
    # The low half of Adler-32 is 1 + that sum, modulo 65521, which 256 bytes never reach: 10 times faster than sum().
    total = 0
    for at in range(0, len(data), 256):
        total += (adler32(data[at : at + 256]) & 0xFFFF) - 1
    return total & 0xFF


def encode(body: bytes) -> bytes:
    """A message from its fields behind the length, each `tag=value` with SOH at its end; the first is 35."""
    head = b"%b9=%d\x01%b" % (BEGIN, len(body), body)
    return b"%b10=%03d\x01" % (head, checksum(head))


def decode(message: bytes) -> Fields:
    """The fields of one whole message; raises Garbled."""
    end = len(message) - _TRAILER
    if message[end : end + 3] != b"10=" or checksum(message[:end]) != _digits(message[end + 3 : -1]):
        raise Garbled(f"checksum {message[end + 3 : -1]!r} is not {checksum(message[:end]):03d}")
    body_at = message.index(SOH, _LENGTH_AT) + 1
    fields: Fields = {}
    try:
        for field in message[body_at : end - 1].split(SOH):
            tag, value = field.split(b"=", 1)
            number = int(tag)
            if not value or number in fields:
                raise Garbled(f"tag {number} is empty or there twice")
            fields[number] = value
    except ValueError as error:
        raise error if isinstance(error, Garbled) else Garbled(f"a field cannot be read: {error}") from error
    if not message.startswith(b"35=", body_at):
        raise Garbled("the first field behind the length is not 35")
    return fields


class Framer:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._bytes = b""

    def feed(self, data: bytes) -> Iterator[Fields | Garbled]:
        """Every message that is whole now, in order, and what was garbled between them; raises Oversized."""
        rest = self._bytes + data if self._bytes else data
        try:
            while rest:
                if not rest.startswith(BEGIN[: len(rest)]):
                    rest = _behind_garbage(rest)
                    yield Garbled("bytes that do not begin a message were skipped")
                    continue
                length_end = rest.find(SOH, _LENGTH_AT, _LENGTH_AT + 8)
                if length_end < 0:
                    if len(rest) >= _LENGTH_AT + 8:
                        raise Oversized(f"no length in {rest[: _LENGTH_AT + 8]!r}")
                    return
                size = _digits(rest[_LENGTH_AT:length_end])
                if rest[len(BEGIN) : _LENGTH_AT] != b"9=" or size < 0:
                    rest = rest[len(BEGIN) :]
                    yield Garbled("no length behind the beginning")
                    continue
                end = length_end + 1 + size + _TRAILER
                if end > MAX_BYTES:
                    raise Oversized(f"a message of {end} bytes, {MAX_BYTES} are taken")
                if len(rest) < end:
                    return
                if rest[end - 1 : end] != SOH or rest[end - _TRAILER - 1 : end - _TRAILER + 3] != b"\x0110=":
                    rest = rest[len(BEGIN) :]
                    yield Garbled(f"no checksum behind {size} bytes")
                    continue
                message, rest = rest[:end], rest[end:]
                try:
                    yield decode(message)
                except Garbled as error:
                    yield error
        finally:
            self._bytes = rest


def _behind_garbage(data: bytes) -> bytes:
    """From the next beginning of a message on, which may be cut short by the end of the data."""
    at = data.find(BEGIN, 1)
    if at >= 0:
        return data[at:]
    for length in range(min(len(BEGIN), len(data)) - 1, 0, -1):
        if data.endswith(BEGIN[:length]):
            return data[-length:]
    return b""


def _digits(text: bytes) -> int:
    """A number without sign; -1 when it is none."""
    return int(text) if text.isdigit() else -1
