"""Compares durations with a baseline of the same check, so that what else this machine does hits both.

A machine that is too busy to tell is the grader's fault.
"""

import subprocess
import sys
from collections.abc import Callable
from statistics import median

from grader.errors import TooBusy

ROUNDS = 3
MOST_SPREAD = 0.4
"""By how much the slowest round of the baseline may exceed the fastest."""


def ratio(measured: Callable[[], float], baseline: Callable[[], float], *, rounds: int = ROUNDS) -> float:
    """How long `measured` takes, as a multiple of `baseline`: medians of rounds taken in turn; each callable returns seconds.

    Raises TooBusy when the rounds of the baseline differ too much to tell.
    """
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(baseline())
        ours.append(measured())
    if max(theirs) > (1 + MOST_SPREAD) * min(theirs):
        raise TooBusy(f"the same work took {min(theirs):.2f} s and {max(theirs):.2f} s")
    return median(ours) / median(theirs)


SLOW = 2.0
"""From this slowdown on a machine is too busy for a promise in seconds; beside one busy process for each core it is 1.5."""

SPIN = """
import time
began, used = time.monotonic(), time.process_time()
while time.process_time() < used + 0.1: pass
print((time.monotonic() - began) / (time.process_time() - used))
"""


def tell() -> None:
    """Raise TooBusy while this machine is too slow to judge by what took a little too long."""
    times = slowdown()
    if times >= SLOW:
        raise TooBusy(f"a program takes {times:.0f} times its own time")


def slowdown() -> float:
    """How many times longer than alone a program takes at the moment: its time on the clock, over its time on a processor.

    It runs in a session of its own, as programs of learners do: among those the kernel shares the processors.
    """
    argv = [sys.executable, "-I", "-S", "-c", SPIN]
    return float(subprocess.run(argv, capture_output=True, text=True, check=True, start_new_session=True).stdout)
