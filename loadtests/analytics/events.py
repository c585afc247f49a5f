"""Bodies of events as clients send them, and the counters that they must make."""

import bisect
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable

KINDS = ("view", "like", "share", "comment", "follow")
EVENTS = 5000
"""Events of one body, unless a caller says otherwise."""


def bodies(
    count: int, *, users: int, contents: int, zipf: bool, now_ms: int, seed: int = 1, size: int = EVENTS
) -> list[list[dict[str, object]]]:
    """The events of `count` bodies of `size`, within the minute before `now_ms`; users and contents are drawn evenly, or by Zipf's law."""
    dice = random.Random(seed)
    user, content = _draw(dice, users, zipf), _draw(dice, contents, zipf)
    return [
        [
            {
                "id": f"{body:08x}{i:08x}",
                "user": f"u{user()}",
                "content": f"c{content()}",
                "kind": dice.choice(KINDS),
                "at_ms": now_ms - dice.randrange(60_000),
            }
            for i in range(size)
        ]
        for body in range(count)
    ]


def ndjson(events: list[dict[str, object]]) -> bytes:
    """One event a line."""
    return b"\n".join(json.dumps(event, separators=(",", ":")).encode() for event in events)


def expected(events: list[list[dict[str, object]]], times: list[int]) -> dict[str, Counter[str]]:
    """Every counter, when body `i` was sent `times[i]` times."""
    found: dict[str, Counter[str]] = {}
    for body, count in zip(events, times, strict=True):
        for event in body:
            minute, kind = int(str(event["at_ms"])) // 60_000, event["kind"]
            for key, name in (
                (f"c:{kind}:{minute}", event["content"]),
                (f"ct:{kind}", event["content"]),
                (f"u:{minute // 60}", event["user"]),
                (f"t:{kind}:{minute // 60}", str(minute)),
            ):
                found.setdefault(key, Counter())[str(name)] += count
    return found


def drawn_users(dice: random.Random, count: int, *, zipf: bool) -> Callable[[], str]:
    """Draws the names of users as `bodies` does."""
    drawn = _draw(dice, count, zipf)
    return lambda: f"u{drawn()}"


def _draw(dice: random.Random, count: int, zipf: bool):  # type: ignore[no-untyped-def]
    if not zipf:
        return lambda: dice.randrange(count)
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(count)))
    return lambda: bisect.bisect(weights, dice.random() * weights[-1])
