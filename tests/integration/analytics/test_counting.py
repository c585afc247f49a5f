"""Events in, exact counters out, whatever is sent or delivered twice."""

import random
from typing import Any

KINDS = ("view", "like", "share", "comment", "follow", "unlike", "unfollow", "delete")


def some_events(count: int, at_ms: int, seed: int = 1) -> list[dict[str, Any]]:
    """Events of 50 users and 20 contents within ten minutes before `at_ms`."""
    dice = random.Random(seed)
    return [
        {
            "id": f"{seed}-{i}",
            "user": f"u{dice.randrange(50)}",
            "content": f"c{dice.randrange(20)}",
            "kind": dice.choice(KINDS),
            "at_ms": at_ms - dice.randrange(600_000),
            "topics": ["sport"],
        }
        for i in range(count)
    ]


def test_every_counter_is_exact_and_a_repeated_request_counts_once(analytics: Any, expected: Any, now: int) -> None:
    analytics.edge()
    analytics.worker()
    events = some_events(12_000, now)  # three parts

    first = analytics.send(events, key="the-same")
    assert (200, {"accepted": 12_000, "refused": []}) == (first.status_code, first.json())
    analytics.wait_counted(12_000)
    second = analytics.send(events, key="the-same")
    more = analytics.send(some_events(100, now, seed=2), key="another")
    analytics.wait_counted(12_100)

    assert (200, {"accepted": 12_000, "refused": []}) == (second.status_code, second.json())
    assert 200 == more.status_code
    assert expected(events + some_events(100, now, seed=2)) == analytics.counters_now()
    assert 12_100 == analytics.counted()
