"""From a request body to events. Pure. A bad event is refused by its index and costs no other event.

The whole body is decoded in one call; only a body with a bad event is decoded again one by one (it costs ten times as much).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from analytics.domain.errors import BodyRefused
from analytics.domain.events import Event

SHOWN_CHARACTERS = 160
"""Length of a reason at most, because a message of the decoder may repeat what the client sent."""

_events = msgspec.json.Decoder(list[Event])
_event = msgspec.json.Decoder(Event)
_raw_items = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that was not taken: its position in the body, from 0, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """The events of a body. `events[i]` is None where event `i` was refused."""

    events: list[Event | None] | list[Event]
    refused: list[Refused]

    @property
    def accepted(self) -> int:
        """Number of events that were not refused."""
        return len(self.events) - len(self.refused)


def parse_array(body: bytes, *, limit: int) -> Parsed:
    """The events of a JSON array of at most `limit`. Raises BodyRefused when it is no JSON array."""
    try:
        return _limited(_events.decode(body), limit)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        items = _raw_items.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BodyRefused(f"the body is no JSON array of events: {_shown(error)}") from None
    return _one_by_one(items, limit)


def parse_lines(body: bytes, *, limit: int) -> Parsed:
    """The events of NDJSON, one a line, at most `limit`; empty lines are skipped and have no index. Raises BodyRefused."""
    try:
        return _limited(_event.decode_lines(body), limit)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    lines = [line for line in body.split(b"\n") if line.strip()]
    return _one_by_one(lines, limit)


def _check_limit(events: int, limit: int) -> None:
    if events > limit:
        raise BodyRefused(f"the body has {events} events, more than {limit}")


def _limited(events: list[Event], limit: int) -> Parsed:
    _check_limit(len(events), limit)
    return Parsed(events, [])


def _one_by_one(items: Sequence[bytes | msgspec.Raw], limit: int) -> Parsed:
    _check_limit(len(items), limit)
    refused: list[Refused] = []

    def decoded() -> Iterator[Event | None]:
        for index, item in enumerate(items):
            try:
                yield _event.decode(item)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                refused.append(Refused(index, _shown(error)))
                yield None

    events = list(decoded())
    return Parsed(events, refused)


def _shown(error: Exception) -> str:
    text = str(error).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
