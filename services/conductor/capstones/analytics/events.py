"""Events as clients make them: drawn by a seed, so that a history holds the seed and not each event. Pure."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

Row = tuple[str, str, str, int]
"""User, content, kind, and time in milliseconds since 1970. The kind of an event that is marked as a bot's begins with FLAGGED."""

FLAGGED = "flagged:"

KINDS = ("view", "like", "share", "comment", "follow", "unlike", "unfollow", "delete")
WEIGHTS = (60, 20, 5, 5, 5, 2, 2, 1)

MINUTE_MS, HOUR_MS = 60_000, 3_600_000

LATE_MS, FUTURE_MS = 24 * HOUR_MS, 5 * MINUTE_MS
"""What the service's settings lateHours and futureSeconds are by default: an event that is older, or further ahead, is counted apart."""

OLD_MS, AHEAD_MS = 30 * HOUR_MS, 2 * HOUR_MS
"""How old late events are drawn, and how far ahead those of the future: beyond any doubt."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is drawn: so many events a request, of so many users and contents by Zipf's law, within the last `span_ms`.

    `late` and `future` are shares of events with such times; `hot` is the share of events that are of one content.
    """

    events: int = 1500
    users: int = 10_000
    contents: int = 5_000
    span_ms: int = 60_000
    late: float = 0.0
    future: float = 0.0
    hot: float = 0.0


def marker(scope: str) -> str:
    """The content of which each request of a scope has one view: so the counters say how many requests they have."""
    return f"{scope}requests"


def drawn(scope: str, seed: int, number: int, at_ms: int, shape: Shape) -> list[Row]:
    """The events of a request: the same for the same arguments. The first one is the marker's."""
    rng = random.Random(f"{seed}/{number}")
    count = shape.events - 1
    users = rng.choices(range(shape.users), cum_weights=_zipf(shape.users), k=count)
    contents = rng.choices(range(shape.contents), cum_weights=_zipf(shape.contents), k=count)
    kinds = rng.choices(KINDS, WEIGHTS, k=count)
    rows = [(f"{scope}clients", marker(scope), "view", at_ms)]
    draw = rng.random
    special = shape.late + shape.future + shape.hot
    for user, content, kind in zip(users, contents, kinds, strict=True):
        when = at_ms - int(draw() * shape.span_ms)
        if special:
            dice = draw()
            if dice < shape.late:
                when -= OLD_MS
            elif dice < shape.late + shape.future:
                when += AHEAD_MS
            elif dice < special:
                content = 0
        rows.append((f"{scope}u{user}", f"{scope}c{content}", kind, when))
    return rows


def ndjson(key: str, rows: Iterable[Row]) -> bytes:
    """The body of a request. No name here needs to be escaped."""
    return "\n".join(
        f'{{"id":"{key[-40:]}.{index}","user":"{user}","content":"{content}","kind":"{kind}","at_ms":{at}}}'
        for index, (user, content, kind, at) in enumerate(rows)
    ).encode()


def rows_of(lines: Sequence[bytes]) -> list[Row | None]:
    """What counters need of a body's lines, as a client reads them; None for a line that is no event."""
    return [_row(line) for line in lines]


def _row(line: bytes) -> Row | None:
    try:
        event: Mapping[str, Any] = json.loads(line)
        kind = f"{FLAGGED if event.get('bot') is True else ''}{event['kind']}"
        return str(event["user"]), str(event["content"]), kind, int(event["at_ms"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


@cache
def _zipf(count: int) -> list[float]:
    return list(accumulate(1 / rank for rank in range(1, count + 1)))
