"""What an earlier version of a capstone left running, under a supervisor of ours: `down` ends it, though this version needs more ports."""

import sys
from pathlib import Path

import pytest

from conductor.laptop import lifecycle, orphans, state
from conductor.laptop.platform import Platform
from conductor.laptop.ports import USUAL, reserved
from conductor.laptop.programs import Program
from conductor.laptop.state import State
from conductor.run_directory import RunDirectory
from servers import wait_until

CHOSEN = ("supervisor", "postgres", "valkey")
STARTED = ("trading.engine-g1-0", "outside-clock")
"""A pool's process, and an outside program that this version does not have."""
FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]
pytestmark = pytest.mark.integration


@pytest.mark.parametrize("names", [(), ("trading",)], ids=["everything", "the capstone"])
def test_a_platform_with_fewer_ports_is_taken_down(tmp_path: Path, names: tuple[str, ...]) -> None:
    run = RunDirectory(tmp_path)
    run.make()
    fresh = State.fresh("valkey", "orders", "trading")
    usual = {name: USUAL[name] for name in CHOSEN}
    with reserved(usual, fresh.ports, usual) as ports:
        platform = Platform(run, fresh.model_copy(update={"ports": ports}))
        pid = platform.supervisor.start(platform.base_environment)
        platform = platform.with_state(supervisor_pid=pid)
    state.save(platform.state, run.state)
    keeper = Program("keeper", "keeper", FOREVER, platform.base_environment)
    programs = [Program(name, "pool", FOREVER, platform.base_environment) for name in STARTED]
    platform.supervisor.add(keeper, *programs)
    wait_until(
        lambda: all(process.state == "RUNNING" for process in platform.supervisor.processes()), what="all to run"
    )
    try:
        assert lifecycle.down(run, names)

        left = {process.name for process in platform.supervisor.processes()} if names else set()
        assert ({"keeper", "outside-clock"} if names else set()) == left
        assert (["orders"] if names else ["orders", "trading"]) == state.loaded(run.state).capstones
    finally:
        lifecycle.down(run)
    assert [] == orphans.find(fresh.run_id, run.starts)
