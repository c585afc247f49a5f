"""Records of the domain as messages of 64 bytes: what the rings carry and the journal keeps. Pure.

Each kind has one fixed layout, its fields in the record's own order, little-endian, padded; the last byte holds flags. The first byte
is the kind, as everywhere. Numbers of kinds from 100 on are between gateway and engine alone and never in a journal.
"""

import struct
from enum import IntEnum

from trading.adapters.ring import SLOT_BYTES
from trading.domain.records import Record
from trading.domain.terms import Input, Outcome

REPEATED = 1
"""Flag: this outcome was perhaps handed over before, by an engine that was replaced."""


class Between(IntEnum):
    """What gateway and engine say to each other besides inputs and outcomes."""

    STATUS_REQUEST = 100
    """(kind, session, client id, client id asked for): changes nothing."""
    STATUS = 101
    """(kind, session, client id asked for, `Known`, order id, account, symbol, side, price, quantity, open, value)"""
    MARK = 102
    """(kind, sequence number): all outcomes up to this input were handed over."""
    END = 103
    """(kind,): the engine has drained and says no more."""
    JOURNAL_FULL = 104
    """(kind, session, client id): the input was not taken, because no room for its record is left."""


STATUS_REQUEST, STATUS, MARK, END = map(int, (Between.STATUS_REQUEST, Between.STATUS, Between.MARK, Between.END))
"""For where each message passes: naming a member of an enumeration takes CPython 3.11 0.2 µs."""


class Known(IntEnum):
    """What an engine knows of a client id."""

    NEVER_SEEN = 0
    """No input of the session had this id or a higher one: it was not taken, and may be sent again."""
    CLOSED = 1
    """It was taken and is no open order: refused, executed, cancelled, expired, replaced, or no order at all."""
    OPEN = 2


def _layout(fields: str) -> struct.Struct:
    return struct.Struct(f"<{fields}{SLOT_BYTES - struct.calcsize('<' + fields)}x")


_INPUTS: dict[int, struct.Struct] = {
    Input.NEW: _layout("BIqIIBBBqqq"),
    Input.CANCEL: _layout("BIqq"),
    Input.REPLACE: _layout("BIqqqqq"),
    Input.MASS_CANCEL: _layout("BIqII"),
    Input.SESSION_ENDED: _layout("BI"),
    Input.PHASE: _layout("Bqq"),
    Input.KILL: _layout("Bqqq"),
    Input.PROPOSE_LIMITS: _layout("BIIqqqqq"),
    Input.APPROVE_LIMITS: _layout("BIIq"),
    Input.TIME: _layout("Bq"),
    Input.DAY: _layout("Bq"),
    Input.MARKET_DATA: _layout("Bqq"),
    Input.LIST: _layout("Bqqq"),
    Between.STATUS_REQUEST: _layout("BIqq"),
}
_OUTCOMES: dict[int, struct.Struct] = {
    Outcome.ACKNOWLEDGED: _layout("BIqqIIBBBqqq"),
    Outcome.REFUSED: _layout("BIqIqq"),
    Outcome.EXECUTED: _layout("BIqqIIBIIIIqqB"),
    Outcome.CANCELLED: _layout("BIqqIIBIBqHqq"),
    Outcome.EXPIRED: _layout("BIqqIIBI"),
    Outcome.REPLACED: _layout("BIqqqqqIIB"),
    Outcome.STOP_TRIGGERED: _layout("BIqqII"),
    Outcome.DONE: _layout("BIqBq"),
    Between.STATUS: _layout("BIqBqIIBqIIq"),
    Between.MARK: _layout("Bq"),
    Between.END: _layout("B"),
    Between.JOURNAL_FULL: _layout("BIq"),
}
INPUTS = {int(kind): layout for kind, layout in _INPUTS.items()}
OUTCOMES = {int(kind): layout for kind, layout in _OUTCOMES.items()}
"""By plain numbers, because each message is looked up, and a member of an enumeration is another object than the number in it."""
_FLAGS_AT = SLOT_BYTES - 1


class NotEncodable(ValueError):
    """A field does not fit its place; names kind and record."""


def encode_input(record: Record) -> bytes:
    """An input as a message; raises NotEncodable when a field is outside the range of its place."""
    try:
        return INPUTS[record[0]].pack(*record)
    except (struct.error, KeyError) as error:
        raise NotEncodable(f"{record}: {error}") from error


def encode_outcome(record: Record) -> bytes:
    """An outcome as a message; raises NotEncodable."""
    try:
        return OUTCOMES[record[0]].pack(*record)
    except (struct.error, KeyError) as error:
        raise NotEncodable(f"{record}: {error}") from error


def decode_input(message: bytes) -> Record:
    """The input that a message is. The gateway or the journal made it, so it has the shape of its kind."""
    return INPUTS[message[0]].unpack(message)


def decode_outcome(message: bytes) -> Record:
    """The outcome that a message is, without its flags."""
    return OUTCOMES[message[0]].unpack(message)


def flags_of(message: bytes) -> int:
    """REPEATED or 0."""
    return message[_FLAGS_AT]


def flagged(message: bytes, flags: int) -> bytes:
    """The same message with flags."""
    return message[:_FLAGS_AT] + bytes((message[_FLAGS_AT] | flags,))


def slots(record: bytes) -> list[bytes]:
    """The messages that a journal's record consists of: the input, and what came of it."""
    return [record[at : at + SLOT_BYTES] for at in range(0, len(record), SLOT_BYTES)]
