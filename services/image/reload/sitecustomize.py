"""In the development image only: every Python process begins here, and the container's first one stays to start the program anew.

It copies the code to where it can be written (RELOAD_INTO, first on PYTHONPATH), runs the same command line as its child, and whenever a
file there changes asks the child to end, as a rollout would: a worker finishes what it has. The container goes on, so what was synced
stays. Python imports a module of this name by itself (https://docs.python.org/3/library/site.html).
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType

WATCHED = "RELOAD_FROM"
PAUSE_SECONDS = 0.5


def seen(code: Path) -> dict[str, int]:
    """Every file with the time of its last change."""
    return {str(file): file.stat().st_mtime_ns for file in code.rglob("*") if file.suffix != ".pyc" and file.is_file()}


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


def keep_running(source: Path, code: Path) -> int:
    """Run this process's own command line until it ends by itself, or is told to end; its exit code."""
    if not code.exists():
        bring(source, code)
    told = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def end(number: int, frame: FrameType | None) -> None:
        told.set()
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
        if told.is_set():
            child.terminate()
        while True:
            try:
                return child.wait(PAUSE_SECONDS)
            except subprocess.TimeoutExpired:
                if seen(code) == before or told.is_set():
                    continue
            sys.stderr.write("code changed: starting again once what runs has ended\n")
            child.terminate()
            child.wait()
            break


if WATCHED in os.environ:
    os._exit(keep_running(Path(os.environ[WATCHED]), Path(os.environ["RELOAD_INTO"])))
