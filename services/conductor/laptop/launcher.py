"""Becomes the process that a launch file describes: `python -S launcher.py FILE`. Standard library only.

The supervisor starts every process through this, so that commands, paths with spaces and secrets never pass through its
configuration language, and a start is counted. The process keeps the pid: the last act is exec.

As root, a server that refuses root (PostgreSQL) is started as an unprivileged user who keeps one capability, to walk and
read below folders closed to others (a checkout in /root): capabilities(7), ambient set. So no folder's permissions change.
"""

import ctypes
import json
import os
import struct
import sys
import time
from typing import Any

PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 47, 2
CAPABILITY_VERSION_3 = 0x20080522
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2


def main(path: str) -> None:
    """Count the start, take the user, the folder and the environment, and become the command."""
    with open(path) as file:
        launch: dict[str, Any] = json.load(file)
    with open(launch["starts"], "a") as starts:
        starts.write(f"{time.time():.3f} {os.getpid()}\n")
    if launch["uid"] is not None and os.geteuid() == 0:
        become(launch["uid"], launch["gid"])
    os.chdir(launch["directory"])
    os.execvpe(launch["argv"][0], launch["argv"], launch["environment"])


def become(uid: int, gid: int) -> None:
    """Drop to the user for good; on Linux keep the right to read and walk everywhere, if we have it."""
    kept = _readable_capability() if sys.platform == "linux" else None
    libc = ctypes.CDLL(None, use_errno=True)
    if kept is not None:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if kept is not None:
        _keep(libc, kept)


def _readable_capability() -> int | None:
    """The narrower of the two that let a process read below closed folders; containers often grant only the wider."""
    with open("/proc/self/status") as status:
        permitted = next(int(line.split()[1], 16) for line in status if line.startswith("CapPrm:"))
    return next((cap for cap in (DAC_READ_SEARCH, DAC_OVERRIDE) if permitted >> cap & 1), None)


def _keep(libc: ctypes.CDLL, capability: int) -> None:
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    mask = 1 << capability
    data = struct.pack("IIIIII", mask, mask, mask, 0, 0, 0)
    if libc.capset(header, data) or libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0):
        print(f"cannot keep capability {capability}: {os.strerror(ctypes.get_errno())}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
