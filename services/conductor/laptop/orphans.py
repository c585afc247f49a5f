"""Finds what still runs of a platform, whatever its name or parent. Needed when the supervisor itself died, and to be sure
that nothing is left.

A process is ours when its environment carries the run's id, or when the launcher recorded its pid and it is as old as
that record (a server that gave up root cannot have its environment read in every container). Never by name.
"""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil

MARKER = "CAPSTONE_RUN_ID"
RECORD_TOLERANCE_SECONDS = 2.0
"""Between a process's creation and its launcher's record of it, on a busy machine."""


def find(run_id: str, starts: Path) -> list[psutil.Process]:
    """The living processes of this run with all their descendants; `starts` is the folder of the launcher's records."""
    found: dict[psutil.Process, None] = {}
    for process in [*_marked(run_id), *_recorded(starts)]:
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.update(dict.fromkeys([process, *process.children(recursive=True)]))
    return list(found)


def _marked(run_id: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARKER) == run_id:
                yield process


def _recorded(starts: Path) -> Iterator[psutil.Process]:
    for record in starts.glob("*"):
        for line in record.read_text().splitlines():
            at, pid = line.split()
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(int(pid))
                if abs(process.create_time() - float(at)) < RECORD_TOLERANCE_SECONDS:
                    yield process


def end(run_id: str, starts: Path, *, grace_seconds: float) -> list[int]:
    """Ask every survivor to go, kill what has not after the grace; the pids that needed it at all."""
    told = find(run_id, starts)
    for process in told:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(told, timeout=grace_seconds)
    # New ones may have been forked meanwhile.
    for process in {*alive, *find(run_id, starts)}:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return [process.pid for process in told]


def wait_gone(pid: int | None, *, within_seconds: float) -> None:
    """Return when the process has ended, or the time is over."""
    if pid is not None:
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).wait(within_seconds)
