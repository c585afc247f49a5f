"""Signals to processes of others, the names of these, and whether what was sent took effect."""

import contextlib
import signal
from collections.abc import Callable, Iterable, Mapping

import psutil


def names(pids: Iterable[int]) -> Mapping[int, str]:
    """The names of those processes that are there."""
    found: dict[int, str] = {}
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            found[pid] = psutil.Process(pid).name()
    return found


def send(pid: int, number: int) -> bool:
    """Send a signal; False when there is no such process."""
    try:
        psutil.Process(pid).send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def dead(pid: int) -> bool:
    """Whether none of it runs any more. Until then its connections are open, and whoever looks takes it for alive."""
    try:
        process = psutil.Process(pid)
        # The first thread may be gone before the others, which share its files.
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() == 1
    except psutil.NoSuchProcess:
        return True


def still(pid: int) -> bool:
    """Whether it stands still. A stop begins when its first thread gets a core; until then the others go on."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED or dead(pid)
    except psutil.NoSuchProcess:
        return True


OBEYED: Mapping[int, Callable[[int], bool]] = {signal.SIGKILL: dead, signal.SIGSTOP: still}
"""By signal, what a process that got it is in the end; others ask nothing that can be waited for."""
