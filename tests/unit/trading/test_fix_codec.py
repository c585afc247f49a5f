"""Messages of FIX as bytes, against simplefix; whatever comes in between, nothing else is taken for a message."""

import pytest
import simplefix
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.adapters.fix.codec import MAX_BYTES, Framer, Garbled, Oversized, checksum, decode, encode

VALUES = st.binary(min_size=1, max_size=40).filter(lambda value: b"\x01" not in value)
BODIES = st.dictionaries(st.integers(5000, 9999), VALUES, max_size=12)
"""User-defined tags: simplefix takes some of the others for lengths of raw data."""


def by_simplefix(fields: dict[int, bytes]) -> bytes:
    message = simplefix.FixMessage()
    message.append_pair(8, b"FIX.4.4")
    message.append_pair(35, b"D")
    for tag, value in fields.items():
        message.append_pair(tag, value)
    return message.encode()


def ours(fields: dict[int, bytes]) -> bytes:
    return encode(b"35=D\x01" + b"".join(b"%d=%b\x01" % one for one in fields.items()))


def taken(framer: Framer, data: bytes) -> list[dict[int, bytes]]:
    return [one for one in framer.feed(data) if not isinstance(one, Garbled)]


@settings(max_examples=40)
@given(BODIES)
def test_both_write_the_same_bytes(fields):
    assert by_simplefix(fields) == ours(fields)


@settings(max_examples=40)
@given(BODIES)
def test_it_reads_what_simplefix_writes(fields):
    assert {35: b"D", **fields} == decode(by_simplefix(fields))


@settings(max_examples=40)
@given(BODIES)
def test_simplefix_reads_what_it_writes(fields):
    parser = simplefix.FixParser()
    parser.append_buffer(ours(fields))
    message = parser.get_message()

    assert message is not None
    assert fields == {tag: message.get(tag) for tag in fields}


@settings(max_examples=40)
@given(st.binary(max_size=2000))
def test_the_checksum_is_the_sum_of_all_bytes(data):
    assert sum(data) % 256 == checksum(data)


@settings(max_examples=40)
@given(st.lists(BODIES, max_size=4), st.lists(st.integers(1, 60), max_size=40))
def test_a_stream_may_be_cut_anywhere(messages, cuts):
    data, framer, found = b"".join(map(ours, messages)), Framer(), []
    for cut in cuts:
        found += taken(framer, data[:cut])
        data = data[cut:]
    found += taken(framer, data)

    assert [{35: b"D", **one} for one in messages] == found


@settings(max_examples=40)
@given(BODIES, st.data())
def test_a_message_with_a_changed_byte_is_not_taken(fields, data):
    message = bytearray(ours(fields))
    at = data.draw(st.integers(0, len(message) - 1))
    message[at] ^= data.draw(st.integers(1, 255))
    try:
        found = taken(Framer(), bytes(message))
    except Oversized:
        found = []

    assert [] == found


@settings(max_examples=40)
@given(st.binary(max_size=300), BODIES)
def test_bytes_before_a_message_cost_only_themselves(garbage, fields):
    framer, message = Framer(), ours(fields)
    try:
        # Garbage may look like a beginning that waits for more: then a message or two go with it, the third does not.
        found = [one for each in range(3) for one in taken(framer, message if each else garbage + message)]
    except Oversized:
        return

    assert {35: b"D", **fields} == found[-1]


def test_a_message_that_is_too_long_is_told_from_its_length():
    with pytest.raises(Oversized, match=str(MAX_BYTES)):
        list(Framer().feed(b"8=FIX.4.4\x019=%d\x01" % MAX_BYTES))


@pytest.mark.parametrize(
    "fields", [b"35=D\x0111=\x01", b"35=D\x0111=1\x0111=2\x01", b"11=1\x01", b"35=D\x01x=1\x01", b"35=D\x0111\x01"]
)
def test_a_frame_with_unreadable_fields_is_garbled(fields):
    [found] = Framer().feed(encode(fields))

    assert isinstance(found, Garbled)
