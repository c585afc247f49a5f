"""A file is replayed through a real edge: sorted it comes to the offline count, and as it lies counted and late make the total."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from conductor.capstones.analytics.replay import Replayed, replay
from conductor.capstones.analytics.replayed_file import read
from conductor.history import Journal

DAY = 86_400


class Reach:
    """The service of a test, as the conductor reaches a platform."""

    def __init__(self, service: Any) -> None:
        self._service = service

    def addresses(self) -> Mapping[str, str]:
        return {"api": f"http://127.0.0.1:{self._service.port}", "counters": self._service.counters.url(0)}

    def tokens(self) -> Mapping[str, str]:
        return {"customer": "web-token", "operator": "analyst-token"}


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """Ratings of ten years, in the order of their users, as rating data sets have them."""
    rng = random.Random(1)
    file = tmp_path / "ratings.csv"
    rows = [
        f"{user},{rng.randrange(50)},{rng.choice([2.5, 4, 5])},{946_684_800 + rng.randrange(3650 * DAY)}"
        for user in range(40)
        for _ in range(25)
    ]
    file.write_text("\n".join(["userId,movieId,rating,timestamp", *rows]))
    return file


def test_a_sorted_file_comes_to_the_offline_count_and_one_as_it_lies_to_counted_and_late(
    rabbit_analytics: Any, ratings: Path, tmp_path: Path
) -> None:
    service = rabbit_analytics
    service.edge()
    service.worker()
    rows = read(ratings)

    def played(name: str, chosen: Any) -> Replayed:
        journal = Journal(tmp_path / f"{name}.jsonl")
        done = replay(Reach(service), journal, chosen, request=100, rate=20_000, wait_seconds=20)
        journal.close()
        return done

    in_order = played("sorted", sorted(rows, key=lambda row: row.at_ms))
    as_it_lies = played("lying", rows)
    totals = service.ask("/contents/7", from_ms=0, to_ms=1)["all_time"]

    assert ([], []) == (in_order.differences, as_it_lies.differences)
    assert (1000, {}) == (in_order.offline.counted.total(), in_order.offline.apart)
    assert 1000 == as_it_lies.offline.counted.total() + as_it_lies.offline.apart.total()
    assert as_it_lies.offline.apart.total() > 500
    assert 2000 == service.counted()
    both = in_order.offline.counted + as_it_lies.offline.counted
    assert {kind: count for (kind, content), count in both.items() if content == "7"} == totals
