"""How fast orders come under a drill: as it was told to, and faster only while something waits for them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self, cast

import pytest
from rich.console import Console

from conductor.errors import DrillFailed
from conductor.harness import session as watches
from conductor.harness.reporter import Story
from conductor.harness.session import Patience, Size, Watch
from conductor.runtime import Reach
from conductor.waiting import until

OPEN = 5
HARDLY_EVER = 0.001
"""Orders a second: the first comes at once, the next in a quarter of an hour."""


class Platform:
    """API and database in memory; it works off what is more than a blow wants."""

    def __init__(self) -> None:
        self.placed: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *how: object) -> None:
        return None

    def close(self) -> None:
        return None

    def place(self, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.placed.add(key)
        return {"order_id": key, "total_minor": 100}

    def cancel(self, order_id: str) -> dict[str, Any]:
        return {}

    def open_orders(self, prefix: str, younger_than_seconds: float | None = None) -> int:
        return min(OPEN, len(self.placed))

    def final_orders(self, prefix: str) -> int:
        return len(self.placed) - self.open_orders(prefix)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    made = Platform()
    monkeypatch.setattr(watches, "Facts", lambda reach: made)
    monkeypatch.setattr(watches.OrdersApi, "of", lambda reach: made)
    return made


def watching(path: Path, size: Size, *, seconds: float = 5) -> Watch:
    story = Story(Console(quiet=True))
    return Watch(cast(Reach, None), size, story, path / "journal.jsonl", Patience(total_seconds=seconds))


@pytest.fixture
def slowly(platform: Platform, tmp_path: Path) -> Iterator[Watch]:
    watch = watching(tmp_path, Size(10 * OPEN, per_second=HARDLY_EVER))
    yield watch
    watch.close()


def test_orders_come_as_slowly_as_they_were_told_to(slowly: Watch) -> None:
    with slowly.orders(at_least=1) as load:
        assert until(lambda: load.accepted == 1, within_seconds=5, every_seconds=0.01)
        assert not until(lambda: load.accepted > 1, within_seconds=0.3, every_seconds=0.01)


def test_a_blow_does_not_wait_for_orders_that_come_slowly(slowly: Watch) -> None:
    with slowly.orders(at_least=1):
        assert OPEN == slowly.await_open()


def test_the_last_orders_of_a_drill_come_fast(slowly: Watch) -> None:
    with slowly.orders() as load:
        pass

    assert load.accepted >= 10 * OPEN


def test_a_steady_load_is_not_hurried(platform: Platform, tmp_path: Path) -> None:
    watch = watching(tmp_path, Size(10 * OPEN, per_second=HARDLY_EVER, steady=True), seconds=0.5)

    with pytest.raises(DrillFailed, match="only 1 of 50 orders were accepted"), watch.orders():
        pass

    watch.close()
