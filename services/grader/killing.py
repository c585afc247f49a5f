"""Kills processes of a worker's pool, as the kernel does when memory runs out."""

import contextlib
import os
import signal

import psutil

from grader.session import Worker


def kill_pool(worker: Worker, most: int | None = None) -> list[int]:
    """Kill the processes in which a prefork worker runs its tasks, or so many of them, and leave the worker itself; their pids.

    Celery gives the place of a killed process back after 10 s: until then a pool of which all were killed does nothing.
    """
    below = [pid for pid in worker.running.processes() if pid != worker.running.pid]
    killed: list[int] = []
    for pid in below:
        if len(killed) == most:
            break
        # Whoever has children is the worker or something that the box put round it.
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if not psutil.Process(pid).children():
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
    return killed
