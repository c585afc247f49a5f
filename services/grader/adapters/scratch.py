"""The folder of one grading: gone with it, or, when the grader was killed, with the next grading of the same user.

Its owner holds a lock on it for as long as it lives, so that nobody takes the folder of a grading that still runs.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from grader.errors import Unable

PREFIX = "capstone-grading-"
LEAST_FREE_MIB = 16
"""With less, the outputs of a grading's programs are cut off somewhere, and a sound answer looks like a broken one."""

SETTLED_SECONDS = 10
"""From making a folder to having its lock; a younger one is nobody's leftover."""


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A new one, below TMPDIR or /tmp. Raises Unable where there is no room for a grading."""
    _remove_leftovers(Path(tempfile.gettempdir()))
    room()
    made = Path(tempfile.mkdtemp(prefix=PREFIX))
    held = os.open(made, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(held)


def room() -> None:
    """Raise Unable unless there is room for what a grading writes."""
    where = tempfile.gettempdir()
    free = shutil.disk_usage(where).free // 2**20
    if free < LEAST_FREE_MIB:
        raise Unable(f"there is no room to grade: {where} has {free} MiB left, {LEAST_FREE_MIB} are needed")


def _remove_leftovers(where: Path) -> None:
    for left in where.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if left.stat().st_uid != os.geteuid() or left.stat().st_mtime > time.time() - SETTLED_SECONDS:
                continue
            held = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(held)
