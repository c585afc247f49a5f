"""What a job uses, read from /proc and its folder while it runs, because the kernel's limits count each process by itself.

The guard runs this; standard library alone. A job may read little of it, and cannot make it less: what hides behind
PR_SET_DUMPABLE is counted by its resident size, which is never below its proportional share (PSS).
"""

import os
from collections.abc import Mapping, Sequence

LOOK_SECONDS = 0.1
FOLDER_LOOKS = 5
"""The folder is walked at every fifth look."""

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1024 * 1024
LEAST_FILE = 4096
"""What a file of nothing counts for."""

MEMORY_FOLDERS = ("/tmp", "/dev/shm")
"""Inside the box, on mounts whose size is fixed, but not the number of their entries, each of which takes memory of the kernel's."""


class Usage:
    """Of one job. `most` has processes, memory_bytes, cpu_seconds, file_bytes and folder; `wrappers` pids are not the job's own."""

    def __init__(self, most: Mapping[str, int], folder: str, wrappers: int) -> None:
        self._most = most
        self._folder = folder
        self._wrappers = wrappers
        self._looks = 0

    def excess(self, pids: Sequence[int]) -> str | None:
        """What is too much, in words; None when nothing is."""
        self._looks += 1
        most = self._most
        if len(pids) - self._wrappers > most["processes"]:
            return f"more than {most['processes']} processes"
        # Resident sizes are cheap to read, and never below the shares that count.
        if sum(map(_resident, pids)) > most["memory_bytes"] and sum(map(_share, pids)) > most["memory_bytes"]:
            return f"more than {most['memory_bytes'] // MIB} MiB of memory"
        if sum(map(_cpu_seconds, pids)) > most["cpu_seconds"]:
            return f"more than {most['cpu_seconds']} s of processor time"
        if self._looks % FOLDER_LOOKS == 0 and pids[: self._wrappers]:
            inside = pids[: self._wrappers][-1]
            made = [_size(self._folder, most["file_bytes"]), *(_entries(inside, name) for name in MEMORY_FOLDERS)]
            if max(made) > most["file_bytes"]:
                return f"more than {most['file_bytes'] // MIB} MiB of files"
        return None


def descendants(pid: int) -> list[int]:
    """All processes below one, whichever of its threads started them."""
    children: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                children += map(int, file.read().split())
    except OSError:
        pass
    return [one for child in children for one in (child, *descendants(child))]


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def _share(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:")), 0)
    except (OSError, ValueError):
        return _resident(pid)


def _cpu_seconds(pid: int) -> float:
    """Its own and that of the children that it waited for."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return sum(map(int, file.read().rpartition(")")[2].split()[11:15])) / TICKS
    except (OSError, ValueError):
        return 0.0


def _entries(pid: int, folder: str) -> int:
    """What the entries of a mount count for, as the process sees it; 0 when it has ended."""
    try:
        mount = os.statvfs(f"/proc/{pid}/root{folder}")
    except OSError:
        return 0
    return (mount.f_files - mount.f_ffree) * LEAST_FILE


def _size(folder: str, enough: int) -> int:
    """Bytes on the disk below a folder; links are not followed, and counting ends when there is more than enough."""
    total, folders = 0, [folder]
    while folders and total <= enough:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    try:
                        total += max(entry.stat(follow_symlinks=False).st_blocks * 512, LEAST_FILE)
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                    except OSError:
                        continue
                    if total > enough:
                        break
        except OSError:
            continue
    return total
