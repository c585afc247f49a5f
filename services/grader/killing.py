"""Kills processes of a worker's pool, as the kernel does when memory runs out."""

import contextlib
import os
import signal

import psutil

from grader.session import Worker


def kill_pool(worker: Worker) -> list[int]:
    """Kill the processes in which a prefork worker runs its tasks, and leave the worker itself; their pids."""
    below = [pid for pid in worker.running.processes() if pid != worker.running.pid]
    killed = []
    for pid in below:
        # Whoever has children is the worker or something that the box put round it.
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if not psutil.Process(pid).children():
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
    return killed
