"""Becomes the process that a launch file describes: `python -S launcher.py FILE`. Standard library only.

The supervisor starts every process through this, so that commands, paths with spaces and secrets never pass through its
configuration language, and a start is counted. The process keeps the pid: the last act is exec.

A server that refuses root (PostgreSQL) gets an unprivileged user here. The folder is entered before that, because the user may have no
right to walk to it.
"""

import contextlib
import json
import os
import sys
import time
from typing import Any


def main(path: str) -> None:
    """Count the start, forget the last one's sign of life, take the folder, the user and the environment, and become the command."""
    with open(path) as file:
        launch: dict[str, Any] = json.load(file)
    with open(launch["starts"], "a") as starts:
        starts.write(f"{time.time():.3f} {os.getpid()}\n")
    # The last sign of life of the process that had this name before says nothing about this one; and its pid may be somebody else's now.
    with contextlib.suppress(KeyError, FileNotFoundError):
        os.unlink(launch["heartbeat"])
    os.chdir(launch["directory"])
    if launch["uid"] is not None and os.geteuid() == 0:
        become(launch["uid"], launch["gid"])
    os.execvpe(launch["argv"][0], launch["argv"], launch["environment"])


def become(uid: int, gid: int) -> None:
    """Drop to the user for good."""
    try:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    except OSError as error:
        sys.exit(
            f"root cannot become user {uid} here ({error.strerror}), and PostgreSQL refuses to run as root: run this as an ordinary user, "
            "or give the container CAP_SETUID and CAP_SETGID"
        )


if __name__ == "__main__":
    main(sys.argv[1])
