"""Signals to the processes of a pool."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from conductor.laptop.runtime import LocalRuntime

# A parent and children as a prefork worker has them; enough of them that some are still dying a moment after a kill.
TREE = """
import os, signal
for _ in range(40):
    if os.fork() == 0:
        signal.pause()
print("up", flush=True)
signal.pause()
"""


@pytest.fixture
def pool() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    yield process
    for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children()] if process.poll() is None else []:
        one.kill()
    process.wait()
    process.stdout.close()


def runtime(pid: int) -> LocalRuntime:
    """One whose only pool is this process."""
    running = [SimpleNamespace(name="orders.saga-g1-0", pid=pid)]
    platform: Any = SimpleNamespace(
        name="orders", pools={"saga": None}, supervisor=SimpleNamespace(processes=lambda: running)
    )
    return LocalRuntime(platform)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_kill_returns_when_the_whole_tree_is_dead(pool: subprocess.Popen[bytes]) -> None:
    hit = runtime(pool.pid).kill("saga")

    assert len(hit) == 41
    assert [] == [pid for pid in hit if alive(pid)]


def test_a_stop_returns_when_the_whole_tree_stands_still(pool: subprocess.Popen[bytes]) -> None:
    hit = runtime(pool.pid).kill("saga", "tree", signal.SIGSTOP)

    assert {psutil.STATUS_STOPPED} == {psutil.Process(pid).status() for pid in hit}


def test_what_stands_still_goes_on_when_it_is_told_to(pool: subprocess.Popen[bytes]) -> None:
    stopped = runtime(pool.pid).kill("saga", "parent", signal.SIGSTOP)
    told = runtime(pool.pid).kill("saga", "parent", signal.SIGCONT)

    assert [pool.pid] == list(stopped) == list(told)
    assert psutil.Process(pool.pid).status() != psutil.STATUS_STOPPED
