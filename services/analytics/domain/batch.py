"""A batch: what travels through the broker. Columns of the events of several parts, and how they become bytes. Pure.

    byte 0      VERSION
    bytes 1…    MessagePack of `Batch`

Events are grouped by (kind, minute, timing), so that counting is one C loop over a column of strings for each group. A group keeps its
events in the order of the parts, and `runs` says how many belong to which: only a batch with a part that was counted before needs it.
What no counter needs (`detail`) is encoded a second time, so that an aggregator copies it and does not decode it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from analytics.domain.errors import BatchRefused
from analytics.domain.events import COUNTED, KINDS, MINUTE_MS, Timing
from analytics.domain.parts import ID_BYTES, Part

VERSION = 1
"""First byte of every batch. A reader parks any other, so a new layout can be rolled out and rolled back."""

_TIMINGS = frozenset(Timing)
_KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}


class Group(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Events of one kind, minute and timing, as columns of equal length."""

    kind: int
    """Position in KINDS."""
    minute: int
    """Minutes since 1970-01-01 UTC."""
    timing: int
    """A `Timing`."""
    contents: list[str]
    users: list[str]
    runs: list[int]
    """Part index, number of events, part index, number of events, …"""
    detail: bytes
    """MessagePack of [event ids, milliseconds within the minute, topics]."""


class Batch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Some parts and their events."""

    published_ms: int
    """When the edge made the batch: milliseconds since 1970-01-01 UTC."""
    parts: list[bytes]
    """Ids of the parts."""
    groups: list[Group]
    refused: list[int] = []
    """Events of each part that the edge refused; empty when it refused none. A reader that does not know it ignores it."""

    @property
    def events(self) -> int:
        """Number of events."""
        return sum(len(group.contents) for group in self.groups)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Batch)
_topics = msgspec.msgpack.Decoder(tuple[msgspec.Raw, msgspec.Raw, list[tuple[str, ...]]])
_details = msgspec.msgpack.Decoder(tuple[list[str], list[int], list[tuple[str, ...]]])


class _Columns:
    """The growing columns of one group."""

    __slots__ = ("columns", "counted", "runs")

    def __init__(self) -> None:
        self.columns: tuple[list[str], list[str], list[str], list[int], list[tuple[str, ...]]] = ([], [], [], [], [])
        self.runs: list[int] = []
        self.counted = 0

    def end_part(self, index: int) -> None:
        """Note how many events of part `index` this group has."""
        count = len(self.columns[0]) - self.counted
        if count:
            self.runs += (index, count)
            self.counted += count


def columnise(
    parts: Sequence[Part],
    published_ms: int,
    timing_of: Callable[[int], Timing],
    over: Mapping[str, int] = MappingProxyType({}),
) -> Batch:
    """The batch of some parts. `timing_of` is asked once for each minute that occurs, with the last millisecond of that minute.

    `over` has the users whose events are too many: how many of those here are not flagged, the first ones.
    """
    left = dict(over)
    groups: dict[int, _Columns] = {}
    appends: dict[int, tuple[Any, ...]] = {}
    codes = _KIND_CODES
    for index, part in enumerate(parts):
        for event in part.events:
            minute, millisecond = divmod(event.at_ms, MINUTE_MS)
            flagged = event.bot
            if left and not flagged and event.user in left:
                left[event.user] -= 1
                flagged = left[event.user] < 0
            slot = minute * 32 + codes[event.kind] * 2 + flagged
            found = appends.get(slot)
            if found is None:
                columns = groups[slot] = _Columns()
                found = appends[slot] = tuple(column.append for column in columns.columns)
            content, user, event_id, within, topics = found
            content(event.content)
            user(event.user)
            event_id(event.id)
            within(millisecond)
            topics(event.topics)
        for columns in groups.values():
            columns.end_part(index)
    made = [_group(slot, groups[slot], timing_of) for slot in groups]
    refused = [part.refused for part in parts]
    return Batch(published_ms, [part.id for part in parts], made, refused if any(refused) else [])


def _group(slot: int, columns: _Columns, timing_of: Callable[[int], Timing]) -> Group:
    minute, code = divmod(slot, 32)
    kind, flagged = divmod(code, 2)
    contents, users, *detail = columns.columns
    timing = timing_of(minute * MINUTE_MS + MINUTE_MS - 1)
    if flagged and timing in COUNTED:
        timing = Timing.FLAGGED
    return Group(kind, minute, timing, contents, users, columns.runs, _encoder.encode(detail))


def encode(batch: Batch) -> bytes:
    """The batch as the body of a message."""
    return bytes((VERSION,)) + _encoder.encode(batch)


def decode(body: bytes) -> Batch:
    """The batch in a message. Raises BatchRefused for another version, for what is no batch, and for columns that do not match."""
    if not body:
        raise BatchRefused("the batch is empty")
    if body[0] != VERSION:
        raise BatchRefused(f"the batch has version {body[0]}, this reader knows {VERSION}")
    try:
        batch = _decoder.decode(memoryview(body)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BatchRefused(f"the batch is broken: {error}") from None
    for problem in _problems(batch):
        raise BatchRefused(f"the batch is broken: {problem}")
    return batch


def detail(group: Group) -> tuple[list[str], list[int], list[tuple[str, ...]]]:
    """Event ids, milliseconds within the minute, and topics of a group's events. Raises BatchRefused."""
    try:
        return _details.decode(group.detail)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BatchRefused(f"the detail of a group is broken: {error}") from None


def topics(group: Group) -> list[tuple[str, ...]]:
    """The topics of a group's events; what else is in the detail is not decoded. Raises BatchRefused."""
    try:
        return _topics.decode(group.detail)[2]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BatchRefused(f"the detail of a group is broken: {error}") from None


def _problems(batch: Batch) -> Iterator[str]:
    parts = len(batch.parts)
    if not 0 <= batch.published_ms < 2**42:
        yield f"it was published at {batch.published_ms} ms"
    if batch.refused and (len(batch.refused) != parts or min(batch.refused) < 0):
        yield f"it has {parts} parts and refused {batch.refused[:10]}"
    for part in batch.parts:
        if len(part) != ID_BYTES:
            yield f"a part id has {len(part)} bytes, not {ID_BYTES}"
    for group in batch.groups:
        events = len(group.contents)
        if not 0 <= group.kind < len(KINDS) or group.timing not in _TIMINGS or not 0 <= group.minute < 2**32:
            yield f"a group has kind {group.kind}, minute {group.minute}, timing {group.timing}"
        if len(group.users) != events or sum(group.runs[1::2]) != events or len(group.runs) % 2:
            yield f"a group has {events} contents, {len(group.users)} users and runs of {sum(group.runs[1::2])}"
        if any(not 0 <= index < parts for index in group.runs[::2]) or any(count < 1 for count in group.runs[1::2]):
            yield f"a group has runs outside its {parts} parts"
