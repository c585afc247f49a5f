"""An event: somebody did something with a content at a time. This is the documented schema of `POST /events`.

    {"id": "0f8fad5b", "user": "u-12", "content": "c-7", "kind": "like", "at_ms": 1764335000123, "topics": ["sport"]}

Counters know `user`, `content`, `kind` and the minute of `at_ms`; `id` and `topics` are for the archive and what is computed from it.
An undo is an event of its own (`unlike` after `like`), so that counters only grow and two deliveries of an undo can be told apart.
"""

from enum import IntEnum
from typing import Annotated, Literal, get_args

import msgspec

Kind = Literal["view", "like", "share", "comment", "follow", "unlike", "unfollow", "delete"]

KINDS: tuple[str, ...] = get_args(Kind)
"""All kinds. A batch holds the position in this tuple, so a new kind is appended, and none is ever removed."""

MINUTE_MS = 60_000
HOUR_MS = 3_600_000

EventId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
UserId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
ContentId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Topic = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
Topics = Annotated[tuple[Topic, ...], msgspec.Meta(max_length=8)]
Moment = Annotated[int, msgspec.Meta(ge=0, lt=2**42)]


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event as a client sends it. Unknown members are ignored, so that a newer client can talk to an older edge."""

    id: EventId
    """Names the event at its source; 1 to 64 characters."""

    user: UserId
    """Who did it; 1 to 64 characters."""

    content: ContentId
    """What it was done to, also the followed user of a `follow`; 1 to 64 characters."""

    kind: Kind
    """What was done; `delete` means that the content was deleted."""

    at_ms: Moment
    """When it happened: milliseconds since 1970-01-01 UTC, below 2^42 (the year 2109)."""

    topics: Topics = ()
    """What the content is about: at most 8, each of 1 to 32 characters."""

    bot: bool = False
    """Whether its sender knows that no person did it, for example by the user agent: it is flagged."""


class Timing(IntEnum):
    """How an event is counted, by its time and by who did it. Decided once, by the edge."""

    ON_TIME = 0
    LATE = 1
    """Older than what minute counters are kept for: counted by kind only."""
    FUTURE = 2
    """Its clock is wrong: counted by kind only."""
    FLAGGED = 3
    """On time, and of a bot, or of a user with more events than one may have: counted by kind only."""
    BACKFILLED = 4
    """Came by the door of backfills, where nothing is late: counted as on time, and left out of trends and recommendations."""


COUNTED = (Timing.ON_TIME, Timing.BACKFILLED)
"""What is in the counters by content, user and time."""


def timing(at_ms: int, received_ms: int, *, late_ms: int, future_ms: int) -> Timing:
    """LATE for an event older than `late_ms`, FUTURE for one that is more than `future_ms` ahead."""
    if at_ms < received_ms - late_ms:
        return Timing.LATE
    return Timing.FUTURE if at_ms > received_ms + future_ms else Timing.ON_TIME


def backfill_timing(at_ms: int, received_ms: int, *, future_ms: int) -> Timing:
    """FUTURE for an event that is more than `future_ms` ahead; any other is backfilled, however old it is."""
    return Timing.FUTURE if at_ms > received_ms + future_ms else Timing.BACKFILLED
