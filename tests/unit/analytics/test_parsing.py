"""What becomes of the events of a body."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.errors import BodyRefused
from analytics.domain.parsing import parse_array, parse_lines

GOOD: dict[str, Any] = {"id": "e-1", "user": "u-1", "content": "c-1", "kind": "view", "at_ms": 1_764_335_000_123}

BAD = {
    "no user": {name: value for name, value in GOOD.items() if name != "user"},
    "an empty user": {**GOOD, "user": ""},
    "a long user": {**GOOD, "user": "u" * 65},
    "a user that is a number": {**GOOD, "user": 1},
    "a long id": {**GOOD, "id": "e" * 65},
    "a long content": {**GOOD, "content": "c" * 65},
    "an unknown kind": {**GOOD, "kind": "stare"},
    "a time in text": {**GOOD, "at_ms": "now"},
    "a fraction of a millisecond": {**GOOD, "at_ms": 0.5},
    "a negative time": {**GOOD, "at_ms": -1},
    "a time beyond the schema": {**GOOD, "at_ms": 2**42},
    "a number of many digits": {**GOOD, "at_ms": 10**400},
    "nine topics": {**GOOD, "topics": ["t"] * 9},
    "a long topic": {**GOOD, "topics": ["t" * 33]},
    "no object": [1],
}


def parsed(form: str, items: list[bytes]) -> Any:
    if form == "array":
        return parse_array(b"[" + b",".join(items) + b"]", limit=10)
    return parse_lines(b"\n".join(items) + b"\n", limit=10)


@pytest.mark.parametrize("form", ["array", "lines"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_event_is_refused_by_its_index_and_costs_no_neighbour(form: str, bad: Any) -> None:
    good = json.dumps(GOOD).encode()

    found = parsed(form, [good, json.dumps(bad).encode(), good])

    assert [1] == [refused.index for refused in found.refused]
    assert [True, False, True] == [event is not None for event in found.events]
    assert 2 == found.accepted


UNREADABLE = {
    "no JSON": b"{nonsense",
    "a value that JSON does not have": json.dumps({**GOOD, "at_ms": float("nan")}).encode(),
    "invalid UTF-8": b'{"id": "\xff", "user": "u", "content": "c", "kind": "view", "at_ms": 1}',
    "half a surrogate pair": b'{"id": "\\ud800", "user": "u", "content": "c", "kind": "view", "at_ms": 1}',
}


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE)
def test_a_line_that_cannot_be_read_costs_no_neighbour(line: bytes) -> None:
    good = json.dumps(GOOD).encode()

    found = parse_lines(b"\n".join([good, line, good]), limit=10)

    assert [1] == [refused.index for refused in found.refused]
    assert found.refused[0].reason


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"[{}", b"null", b"[" * 100_000], ids=str)
def test_what_is_no_array_is_refused_whole(body: bytes) -> None:
    with pytest.raises(BodyRefused):
        parse_array(body, limit=10)


@pytest.mark.parametrize("bad", [{}, {"kind": "stare"}], ids=["all good", "one bad"])
@pytest.mark.parametrize("form", ["array", "lines"])
def test_too_many_events_are_refused_whole(form: str, bad: dict[str, str]) -> None:
    items = [json.dumps({**GOOD, **bad}).encode()] * 11

    with pytest.raises(BodyRefused, match="11 events, more than 10"):
        parsed(form, items)


def test_empty_lines_have_no_index() -> None:
    found = parse_lines(b"\n" + json.dumps(GOOD).encode() + b"\n\nnonsense\n", limit=10)

    assert [1] == [refused.index for refused in found.refused]


def test_a_reason_does_not_repeat_all_that_was_sent() -> None:
    found = parse_lines(json.dumps({**GOOD, "kind": "k" * 10_000}).encode(), limit=10)

    assert len(found.refused[0].reason) < 200


@given(st.binary(max_size=200))
def test_any_bytes_are_events_or_a_refusal(body: bytes) -> None:
    found = parse_lines(body, limit=1000)

    assert len(found.events) == found.accepted + len(found.refused)
