"""How a child process begins and ends: however its owner ends, the child ends as well, also when it is stopped."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.process import current_process, parent_process
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


def die_with_owner() -> None:
    """Have the kernel send SIGKILL when the process that forked this one ends, and show the process under its name.

    It was forked by the server of the owner's `multiprocessing`, which ends when nobody holds its pipe any more. Each child is given an end
    of that pipe, and would keep the server alive after the owner; so it lets go of it. One that a test or a bench spawned has none.
    """
    owner = parent_process()
    if owner is None:
        raise RuntimeError("this process was not started by multiprocessing")
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(_PR_SET_NAME, current_process().name.encode())
    server: Any = forkserver
    pipe = server._forkserver._forkserver_alive_fd
    if pipe is not None:
        os.close(pipe)
    if not owner.is_alive():
        os._exit(1)


@contextmanager
def beginning() -> Iterator[None]:
    """A block in which the process gets ready: told to end meanwhile, it ends when it is."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    die_with_owner()
    yield
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def ended_by(end: Callable[..., None]) -> None:
    """Call `end` when the owner says SIGTERM. A person's Ctrl-C is the owner's business."""
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
