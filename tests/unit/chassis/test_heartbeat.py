"""When a heartbeat is written, and what stands in it."""

import json
from pathlib import Path
from typing import Any

import pytest

from chassis.heartbeat import Heartbeat


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "heartbeat"


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_turn_of_the_loop_is_written(path: Path, clock: Clock) -> None:
    Heartbeat(path, "relay", clock=clock).beat()

    assert {key: read(path)[key] for key in ("role", "state", "ticked")} == {
        "role": "relay",
        "state": "idle",
        "ticked": 100,
    }


def test_a_broker_that_is_away_is_written(path: Path, clock: Clock) -> None:
    Heartbeat(path, "relay", clock=clock).beat(broker_ok=False)

    assert read(path)["state"] == "unreachable"


def test_an_unchanged_state_is_written_once_a_second(path: Path, clock: Clock) -> None:
    heart = Heartbeat(path, "relay", clock=clock)
    seen = set()
    for _ in range(40):
        heart.beat()
        seen.add(read(path)["ticked"])
        clock.now += 0.125

    assert sorted(seen) == [100, 101, 102, 103, 104]


def test_a_change_is_written_at_once(path: Path, clock: Clock) -> None:
    heart = Heartbeat(path, "worker", clock=clock)
    heart.show("idle")
    clock.now += 0.1
    heart.show("busy")

    assert read(path)["state"] == "busy"


def test_since_is_when_the_state_began(path: Path, clock: Clock) -> None:
    heart = Heartbeat(path, "worker", clock=clock)
    heart.show("idle")
    for _ in range(3):
        clock.now += 10
        heart.show("cancelled", f"detail {clock.now}")

    assert (read(path)["since"], read(path)["ticked"]) == (110, 130)


def test_a_deadline_is_written_as_given(path: Path, clock: Clock) -> None:
    Heartbeat(path, "worker", clock=clock).show("busy", deadline=123.0, blocking=True)

    assert (read(path)["deadline"], read(path)["blocking"]) == (123.0, True)


def test_a_start_may_take_longer_than_a_tick(path: Path, clock: Clock) -> None:
    heart = Heartbeat(path, "worker", clock=clock)
    heart.show("starting")
    starting = read(path)["stale_seconds"]
    heart.show("idle")

    assert (starting, read(path)["stale_seconds"]) == (120, 30)


def test_no_other_file_is_left(path: Path, clock: Clock) -> None:
    Heartbeat(path, "worker", clock=clock).show("idle")

    assert list(path.parent.iterdir()) == [path]


def test_a_disk_that_cannot_be_written_stops_nobody(tmp_path: Path, clock: Clock) -> None:
    Heartbeat(tmp_path / "no such folder" / "heartbeat", "worker", clock=clock).show("idle")


def test_without_a_file_nothing_is_written(clock: Clock) -> None:
    Heartbeat(None, "worker", clock=clock).beat()
