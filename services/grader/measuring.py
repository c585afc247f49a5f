"""How slow this machine is, and was while a grading ran: what a check saw may be its doing, and no answer's."""

import contextlib
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator

from grader.errors import TooBusy

SLOW = 2.0
"""From this slowdown on a machine is too busy for a promise in seconds; beside one busy process for each core it is 1.5."""

HIDES = 10.0
"""From this slowdown on a machine may keep a fault from showing in time that takes it some ten milliseconds of work a second."""

SPIN = """
import time
began, used = time.monotonic(), time.process_time()
while time.process_time() < used + 0.1: pass
print((time.monotonic() - began) / (time.process_time() - used))
"""


LOOK_SECONDS = 2.0
"""From one look at the machine to the next while a grading runs; each takes 0.1 s of a processor."""

LOOKS = 1000
"""So many are kept, more than half an hour of them: no check takes longer."""

_looked: deque[tuple[float, float]] = deque(maxlen=LOOKS)
"""When, by the monotonic clock, and how slow the machine was; of all gradings of this process, because it is one machine."""


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Look at how slow this machine is for as long as the block takes: what held something up may be over when that is judged."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            # Where no process can be started, what is graded may be to blame: its own limits and checks say so.
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                times = slowdown()
                _looked.append((time.monotonic(), times))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def tell(since: float | None = None, slow: float = SLOW) -> None:
    """Raise TooBusy where this machine is too slow to judge by what took a little too long, or was so since then (monotonic clock).

    What did not show, and should not, is no fault unless the machine was as slow as `HIDES`.
    """
    times = slowest(since)
    if times >= slow:
        raise TooBusy(f"a program takes {times:.0f} times its own time")


def tell_slower(since: float, than: float) -> None:
    """Raise TooBusy where this machine has been more than twice as slow since then as `than`, a slowdown at which the same went well.

    What fails only now may be the doing of other work then; at like slowdowns it is not.
    """
    times = slowest(since)
    if times >= SLOW * max(1.0, than):
        raise TooBusy(f"a program takes {times:.0f} times its own time, and {than:.0f} times where the same went well")


def slowest(since: float | None = None) -> float:
    """The most that `slowdown` was at any look since that moment, and is now."""
    looks = [times for at, times in list(_looked) if since is not None and at >= since]
    return max([*looks, slowdown()])


def slowdown() -> float:
    """How many times longer than alone a program takes at the moment: its time on the clock, over its time on a processor.

    It runs in a session of its own, as programs of learners do: among those the kernel shares the processors.
    """
    argv = [sys.executable, "-I", "-S", "-c", SPIN]
    return float(subprocess.run(argv, capture_output=True, text=True, check=True, start_new_session=True).stdout)
