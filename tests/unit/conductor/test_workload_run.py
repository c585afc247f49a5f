"""How fast requests come under a drill: as it was told to, and faster only while something waits for them."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast

import pytest
from rich.console import Console

from conductor import capstones
from conductor.capabilities import OwnsShard
from conductor.capstone import Capstone, Patience, Size, Workload
from conductor.capstones.orders import capstone as orders
from conductor.capstones.orders import workload as workloads
from conductor.errors import DrillFailed
from conductor.harness.reporter import Reporter
from conductor.harness.workload_run import WorkloadRun
from conductor.waiting import until

OPEN = 5
HARDLY_EVER = 0.001
"""Requests a second: the first comes at once, the next in a quarter of an hour."""


class Platform:
    """API and database in memory; it completes what is more than a fault wants."""

    def __init__(self) -> None:
        self.placed: set[str] = set()
        self.asked: list[str] = []

    def addresses(self) -> Mapping[str, str]:
        return {"database": "postgresql://nobody"}

    def tokens(self) -> Mapping[str, str]:
        return {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *how: object) -> None:
        return None

    def close(self) -> None:
        return None

    def place(self, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.placed.add(key)
        self.asked.append(key)
        return {"order_id": f"o-{key}", "total_minor": 100}

    def cancel(self, order_id: str) -> dict[str, Any]:
        return {}

    def in_flight(self, *, younger_than_seconds: float | None = None) -> int:
        return min(OPEN, len(self.placed))

    def completed(self, since: datetime | None = None) -> int:
        return len(self.placed) - self.in_flight()


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    made = Platform()
    for module in (orders, workloads):
        monkeypatch.setattr(module, "OrdersProgress", lambda access, scope="": made)
    monkeypatch.setattr(workloads.OrdersApi, "of", lambda access: made)
    return made


def running(platform: Platform, path: Path, size: Size, *, seconds: float = 5) -> WorkloadRun:
    reporter = Reporter(Console(quiet=True))
    patience = Patience(total_seconds=seconds)
    return WorkloadRun(capstones.named("orders"), platform, size, reporter, path / "journal.jsonl", patience)


@pytest.fixture
def slowly(platform: Platform, tmp_path: Path) -> Iterator[WorkloadRun]:
    run = running(platform, tmp_path, Size(10 * OPEN, per_second=HARDLY_EVER))
    yield run
    run.close()


def came(load: Workload, more_than: int, within_seconds: float) -> bool:
    return until(lambda: load.accepted > more_than, within_seconds=within_seconds, every_seconds=0.01)


def test_requests_come_as_slowly_as_they_were_told_to(slowly: WorkloadRun) -> None:
    with slowly.load() as load:
        first = came(load, 0, within_seconds=5)
        second = came(load, 1, within_seconds=0.3)

    assert (True, False) == (first, second)


def test_a_fault_does_not_wait_for_requests_that_come_slowly(slowly: WorkloadRun) -> None:
    with slowly.load():
        assert OPEN == slowly.await_loaded()


def test_the_last_requests_of_a_drill_come_fast(slowly: WorkloadRun) -> None:
    with slowly.load() as load:
        pass

    assert load.accepted >= 10 * OPEN


def test_a_steady_load_is_not_hurried(platform: Platform, tmp_path: Path) -> None:
    run = running(platform, tmp_path, Size(10 * OPEN, per_second=HARDLY_EVER, steady=True), seconds=0.5)

    with pytest.raises(DrillFailed, match="only 1 of 50 requests were accepted"), run.load():
        pass

    run.close()


def test_a_drill_whose_requests_are_completed_slowly_gets_the_time_for_the_rest(
    platform: Platform, tmp_path: Path
) -> None:
    run = running(platform, tmp_path, Size(80, per_second=40, steady=True), seconds=1.5)
    with run.load() as load:
        came(load, 20, within_seconds=1.4)

    assert load.accepted >= 80
    run.close()


def test_a_request_that_is_sent_again_gets_the_answer_that_it_got(platform: Platform, tmp_path: Path) -> None:
    run = running(platform, tmp_path, Size(2 * OPEN))
    with run.load() as load:
        came(load, OPEN, within_seconds=5)
        load.submit("one-more")
    known = set(platform.placed)
    platform.asked.clear()

    load.repeat(OPEN)

    assert len(platform.asked) >= OPEN
    assert set(platform.asked) <= {key for key in known if not key.endswith("one-more.key")}
    run.close()


def test_a_request_that_is_sent_again_and_answered_otherwise_is_a_failure(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = running(platform, tmp_path, Size(2 * OPEN))
    with run.load():
        pass
    other = {"order_id": "another", "total_minor": 100}
    monkeypatch.setattr(platform, "place", lambda key, body: cast(dict[str, Any], other))

    with pytest.raises(DrillFailed, match="and then another"):
        run.workload.repeat(OPEN)
    run.close()


def test_a_fault_is_over_when_requests_are_answered_after_it(platform: Platform, tmp_path: Path) -> None:
    away = [0.4]  # for another reason, while the fault was on its way
    looks: list[float] = []

    def answered_at(workload: Workload) -> float:
        looks.append(0.0)
        if len(looks) == 1:
            return 0.0
        away.append(9.0)
        return time.monotonic()

    run = running(platform, tmp_path, Size(OPEN))
    with run.load():
        shard = OwnsShard("engine", lambda workload: away, answered_at)
        run.capstone = cast(Capstone, SimpleNamespace(name="sharded", capabilities=(shard,)))

        assert 9.0 == run.await_back(0)

    run.close()
