"""Nothing that a guarded program started outlives the program, its time, or the grader."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from grader.adapters import guarded
from grader.adapters.guarded import Guarded
from servers import wait_until

DAEMON = """\
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        open("daemon", "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
while not os.path.exists("daemon") or not open("daemon").read():
    time.sleep(0.01)
print("ready", flush=True)
"""


def started(tmp_path: Path, code: str, **limits: float) -> Guarded:
    wall = limits.pop("wall_seconds", None)
    return guarded.start(
        [sys.executable, "-c", code],
        directory=tmp_path,
        environment={"PATH": os.environ["PATH"]},
        output=tmp_path / "output",
        limits={name: int(most) for name, most in limits.items()},
        wall_seconds=wall,
    )


def daemon(tmp_path: Path) -> int:
    """Its process id; it may have ended already."""
    pid = tmp_path / "daemon"
    wait_until(lambda: pid.exists() and pid.read_text() != "", what="the daemon")
    return int(pid.read_text())


def gone(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


@pytest.mark.parametrize(
    ("code", "status"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9), ("", 0)]
)
def test_the_end_is_the_programs_own(tmp_path: Path, code: str, status: int) -> None:
    assert status == started(tmp_path, code).wait(30)


def test_a_program_that_is_not_there_says_so(tmp_path: Path) -> None:
    program = guarded.start(["/no/such"], directory=tmp_path, environment={}, output=tmp_path / "output")

    assert 127 == program.wait(30)
    assert "/no/such: No such file or directory" in (tmp_path / "output").read_text()


def test_a_daemon_that_forked_twice_ends_with_the_program(tmp_path: Path) -> None:
    program = started(tmp_path, DAEMON)
    left_behind = daemon(tmp_path)

    assert 0 == program.wait(30)
    assert gone(left_behind)


def test_what_is_ended_leaves_no_process(tmp_path: Path) -> None:
    program = started(tmp_path, DAEMON + "time.sleep(600)")
    left_behind = daemon(tmp_path)
    wait_until(lambda: left_behind in program.processes(), what="the daemon to be below the guard")

    program.end()
    assert gone(left_behind)
    assert not psutil.pid_exists(program.pid)


def test_a_program_that_takes_too_long_is_ended_with_all_that_is_below_it(tmp_path: Path) -> None:
    program = started(tmp_path, DAEMON + "time.sleep(600)", wall_seconds=2)
    left_behind = daemon(tmp_path)

    assert -signal.SIGKILL == program.wait(30)
    assert gone(left_behind)


def test_a_killed_grader_leaves_no_process(tmp_path: Path) -> None:
    grader = """\
import sys, time
from pathlib import Path
from grader.adapters import guarded
folder, code = Path(sys.argv[1]), sys.argv[2]
guarded.start([sys.executable, "-c", code], directory=folder, environment={}, output=folder / "output")
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", grader, str(tmp_path), DAEMON + "time.sleep(600)"])
    left_behind = daemon(tmp_path)

    process.kill()
    process.wait()
    wait_until(lambda: gone(left_behind), what="the daemon to be ended", seconds=10)


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        ("while True: pass", {"RLIMIT_CPU": 1}),
        ("bytearray(512 * 1024 * 1024)", {"RLIMIT_DATA": 128 * 1024 * 1024}),
        ("while True: print('x' * 65536)", {"RLIMIT_FSIZE": 1024 * 1024}),
    ],
)
def test_a_limit_ends_the_program(tmp_path: Path, code: str, limits: dict[str, float]) -> None:
    status = started(tmp_path, code, **limits).wait(60)

    assert status not in (None, 0)
    assert (tmp_path / "output").stat().st_size <= 1024 * 1024
