"""Waits for the learner to save a file."""

import os
import time
from pathlib import Path

from grader.adapters.workspaces import LEFT_OUT

LOOK_SECONDS = 0.3


def wait_for_change(folder: Path) -> None:
    """Return when a file below the folder was changed, added or removed since the call."""
    before = _state(folder)
    while _state(folder) == before:
        time.sleep(LOOK_SECONDS)


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        for name in files:
            try:
                stat = os.lstat(os.path.join(path, name))
            except OSError:
                continue
            found[os.path.join(path, name)] = (stat.st_mtime_ns, stat.st_size)
    return found
