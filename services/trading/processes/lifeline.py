"""Binds a child process to its owner: however the owner ends, the child ends as well, also when it is stopped."""

import ctypes
import os
import signal
import sys
from multiprocessing.process import parent_process

_PR_SET_PDEATHSIG = 1


def die_with_owner() -> None:
    """Have the kernel send SIGKILL when the thread of the owner that spawned this process ends.

    The owner must therefore spawn from a thread that lives as long as it does.
    """
    owner = parent_process()
    if owner is None:
        raise RuntimeError("this process was not spawned by multiprocessing")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != owner.pid:
        os._exit(1)
