"""In the development image only: every Python process begins here, and the container's first one stays to start the program anew.

It copies the code to where it can be written (RELOAD_INTO, first on PYTHONPATH), runs the same command line as its child, and whenever a
file there changes asks the child to end, as a rollout would: a worker finishes what it has. The container goes on, so what was synced
stays; a program that a change broke waits for the next change, since nothing can be synced into a container that has ended.

Python imports a module of this name by itself (https://docs.python.org/3/library/site.html).
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

WATCHED = "RELOAD_FROM"
PAUSE_SECONDS = 0.5
HOLD_SECONDS = 600
"""A program that does not come back for so long is left to the probes."""


def seen(code: Path) -> dict[str, int]:
    """Every file with the time of its last change."""
    found = {}
    for file in code.rglob("*"):
        if file.suffix != ".pyc" and file.is_file():
            with contextlib.suppress(FileNotFoundError):  # being replaced right now
                found[str(file.relative_to(code))] = file.stat().st_mtime_ns
    return found


def bring(source: Path, code: Path) -> None:
    """Copy the code, whole or not at all: processes may begin at once, and a broken-off copy must not be taken for the code."""
    beside = Path(tempfile.mkdtemp(dir=code.parent))
    # Compiled modules stay behind: they would be taken for the sources, whatever those say.
    shutil.copytree(source, beside, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    try:
        beside.rename(code)
    except OSError:
        if not code.exists():
            raise
        shutil.rmtree(beside)  # another was first


def hold(heartbeat: Path) -> None:
    """Let the probes (chassis.probe) find the pod alive, and not ready, while its program is away."""
    try:
        record = json.loads(heartbeat.read_text())
    except (OSError, ValueError):
        return  # it has written none
    record |= {"pid": os.getpid(), "state": "restarting", "blocking": True, "deadline": time.monotonic() + HOLD_SECONDS}
    beside = heartbeat.with_suffix(".held")
    beside.write_text(json.dumps(record))
    beside.replace(heartbeat)


def keep_running(source: Path, code: Path, heartbeat: Path) -> int:
    """Run this process's own command line until it ends by itself, or is told to end; its exit code."""
    if not code.exists():
        bring(source, code)
    changed = seen(code) != seen(source)
    told: list[int] = []
    running: list[subprocess.Popen[bytes]] = []

    def end(number: int, frame: FrameType | None) -> None:
        told.append(number)
        for child in running:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, end)
    environment = {name: value for name, value in os.environ.items() if name != WATCHED}
    while True:
        before = seen(code)
        # Where it stands comes first on the path of `python -m`.
        child = subprocess.Popen(sys.orig_argv, env=environment, cwd=code)
        running[:] = [child]
        if told:
            child.terminate()
        status = None
        while status is None and (told or seen(code) == before):
            try:
                status = child.wait(PAUSE_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        if status is None:
            sys.stderr.write("code changed: starting again once what runs has ended\n")
            child.terminate()
            child.wait()
        elif told or not status or not changed:
            return status if status >= 0 else 128 - status
        hold(heartbeat)
        if status is not None:
            sys.stderr.write(f"ended with {status}: starting again when the code changes\n")
            while seen(code) == before:
                time.sleep(PAUSE_SECONDS)
                if told:
                    return status if status >= 0 else 128 - status
        changed = True


if WATCHED in os.environ:
    paths = (Path(os.environ.get(name, "")) for name in (WATCHED, "RELOAD_INTO", "HEARTBEAT_FILE"))
    os._exit(keep_running(*paths))
