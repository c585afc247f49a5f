"""The keeper: who is killed, and when."""

from pathlib import Path
from typing import Any

import pytest

from conductor.laptop import liveness, probes, programs
from conductor.laptop.liveness import Keeper
from conductor.laptop.platform import Platform
from conductor.laptop.probes import Answer
from conductor.laptop.state import State
from conductor.laptop.supervisor import Process
from conductor.run_directory import RunDirectory

STARTED = 1_000
STARTUP_SECONDS = 90
"""As charts/orders/values.yaml has it."""


class FakeSupervisor:
    def __init__(self, *processes: Process) -> None:
        self.known = list(processes)
        self.started: list[str] = []

    def processes(self) -> list[Process]:
        return self.known

    def start_again(self, name: str) -> None:
        self.started.append(name)


def process(name: str = "orders.saga-g1-0", pid: int = 7, state: str = "RUNNING") -> Process:
    return Process(name, state, pid, STARTED, 0, "")


class Scene:
    """A keeper over fakes: `wells` are the probe's answers to come, the last one for ever; `killed` the pids."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *processes: Process) -> None:
        self.wells = [True]
        self.killed: list[int] = []
        self.supervisor = FakeSupervisor(*(processes or (process(),)))
        platform = Platform(RunDirectory(folder), State.fresh("valkey"))
        platform.__dict__["supervisor"] = self.supervisor
        self.keeper = Keeper(platform)
        monkeypatch.setattr(programs, "environment_of", lambda *_: {})
        monkeypatch.setattr(probes, "ask", self.ask)
        monkeypatch.setattr(liveness, "kill_tree", self.killed.append)

    def ask(self, *_: Any) -> Answer:
        return Answer(self.wells.pop(0) if len(self.wells) > 1 else self.wells[0], "as told")

    def rounds(self, count: int, *wells: bool, now: float = STARTED + 1) -> list[int]:
        self.wells = list(wells)
        for _ in range(count):
            self.keeper.round(now)
        return self.killed


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


def test_three_failures_in_a_row_kill(scene: Scene) -> None:
    assert scene.rounds(4, True, False) == [7]


def test_two_failures_are_forgiven_by_one_sign_of_life(scene: Scene) -> None:
    assert scene.rounds(6, True, False, False, True, False, False) == []


def test_a_process_that_never_was_well_has_its_startup_time(scene: Scene) -> None:
    assert scene.rounds(10, False, now=STARTED + STARTUP_SECONDS - 1) == []
    assert scene.rounds(3, False, now=STARTED + STARTUP_SECONDS) == [7]


def test_a_restarted_process_begins_anew(scene: Scene) -> None:
    scene.rounds(3, True, False)
    scene.supervisor.known = [process(pid=8)]

    assert scene.rounds(1, False) == []


@pytest.mark.parametrize("state", ["STARTING", "STOPPING", "BACKOFF", "EXITED"])
def test_only_what_runs_is_asked(state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path, monkeypatch, process(state=state))

    assert scene.rounds(5, False, now=STARTED + STARTUP_SECONDS) == []


def test_a_server_is_none_of_its_business(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path, monkeypatch, process(name="postgres"))

    assert scene.rounds(5, False, now=STARTED + STARTUP_SECONDS) == []


def test_what_the_supervisor_gave_up_on_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path, monkeypatch, process(state="FATAL"))

    scene.rounds(liveness.GIVEN_UP_PERIODS, True)

    assert scene.supervisor.started == ["orders.saga-g1-0"]
