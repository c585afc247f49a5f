"""How much of a silence counts, of real processes: all of one that stands still or sleeps, of one that runs the time for which it ran."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from servers import wait_until
from trading.processes.silence import DOUBTED_SECONDS, Silence

SECONDS = 0.6
LOOP = "while True: pass"
SLEEP = "import time; time.sleep(60)"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process waits for")


@contextlib.contextmanager
def process(program: str, before: Callable[[], None] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone after the block."""
    with subprocess.Popen([sys.executable, "-S", "-c", program], preexec_fn=before) as started:
        try:
            yield started
        finally:
            started.kill()


def counted(pid: int) -> tuple[float, float, float]:
    """What counts of SECONDS without a sign of life beyond the first of them, and what passed meanwhile; and for how long it ran."""
    silence, ran = Silence(pid), psutil.Process(pid).cpu_times().user
    began = now = time.monotonic()
    found = silence.counted(DOUBTED_SECONDS)
    while now - began < SECONDS:
        time.sleep(0.02)
        now = time.monotonic()
        found = silence.counted(DOUBTED_SECONDS + now - began)
    return found - DOUBTED_SECONDS, now - began, psutil.Process(pid).cpu_times().user - ran


def test_all_counts_of_a_process_that_stands_still() -> None:
    with process(LOOP) as stopped:
        os.kill(stopped.pid, signal.SIGSTOP)
        wait_until(lambda: psutil.Process(stopped.pid).status() == psutil.STATUS_STOPPED, what="it to stand still")

        found, passed, _ = counted(stopped.pid)

    assert passed == pytest.approx(found, abs=0.01)


def test_all_counts_of_a_process_that_waits_for_something_else_than_a_core() -> None:
    with process(SLEEP) as asleep:
        wait_until(lambda: psutil.Process(asleep.pid).status() == psutil.STATUS_SLEEPING, what="it to sleep")

        found, passed, _ = counted(asleep.pid)

    assert passed == pytest.approx(found, abs=0.05)


def test_of_a_process_that_runs_the_time_counts_for_which_it_ran() -> None:
    with process(LOOP) as busy:
        found, _, ran = counted(busy.pid)

    # Ticks of 10 ms.
    assert ran == pytest.approx(found, abs=0.05)


def test_of_a_process_that_gets_no_core_next_to_nothing_counts() -> None:
    core = max(os.sched_getaffinity(0))

    def beside() -> None:
        os.sched_setaffinity(0, {core})

    def behind() -> None:
        beside()
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    with process(LOOP, beside), process(LOOP, behind) as starved:
        found, passed, _ = counted(starved.pid)

    assert found < passed / 4


def test_a_sign_of_life_ends_a_silence() -> None:
    with process(SLEEP) as asleep:
        silence = Silence(asleep.pid)
        told = [silence.counted(seconds) for seconds in (0.1, 0.3, 0.5, 0.05, 0.25)]

    assert [0.1, DOUBTED_SECONDS, 0.05, DOUBTED_SECONDS] == [told[0], told[1], told[3], told[4]]


def test_all_counts_where_nothing_is_told_of_a_process() -> None:
    assert 0.7 == Silence(0).counted(0.7)
