"""What a process and its descendants use of the machine, CPU and memory, and how much memory they may use.

The first process of a container asks its cgroup (version 2 or 1), by which the kernel decides whom it kills. Elsewhere processes are added
up from /proc, because all of a laptop share a cgroup. What cannot be read is absent, and never 0.
Source: https://docs.kernel.org/admin-guide/cgroup-v2.html, and cgroup-v1/memory.html there; proc(5).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CGROUPS, PROC = Path("/sys/fs/cgroup"), Path("/proc")

_most_ticks: dict[tuple[int, Path], int] = {}
"""By process, the CPU time that was told last: a child that ends between two reads is in neither sum, and a counter may not fall."""

UNLIMITED_BYTES = 1 << 60
"""Version 1 has a number also for no limit."""

_VERSIONS = {
    "": ("", "memory.max", "memory.current", "inactive_file"),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""By controller in /proc/self/cgroup: its folder, the files of limit and usage, and what in memory.stat can be given back at once."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes and seconds; None for what is not known."""

    memory_bytes: int | None
    limit_bytes: int | None
    cpu_seconds: float | None


def usage(limit_bytes: int = 0, *, pid: int | None = None, cgroups: Path = CGROUPS, proc: Path = PROC) -> Usage:
    """Of this process and its descendants as they are now; `limit_bytes` where no container has one, 0 for none."""
    own = os.getpid() if pid is None else pid
    found = _of_container(cgroups, proc) if own == 1 else None
    memory, limit = found or (_resident_bytes(own, proc), limit_bytes or None)
    return Usage(memory, limit, _cpu_seconds(own, proc))


def _of_container(cgroups: Path, proc: Path) -> tuple[int, int] | None:
    """Bytes in use that cannot be given back, and the most there may be; None without a limit."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controller, path = line.split(":", 2)
        if controller not in _VERSIONS:
            continue
        folder, most, used, cache = _VERSIONS[controller]
        # A container sees its own group as the root, or at the path that it has for the machine.
        for group in (cgroups / folder / path.lstrip("/"), cgroups / folder):
            try:
                limit = int((group / most).read_text())
                now = int((group / used).read_text())
                stat = dict(one.split() for one in (group / "memory.stat").read_text().splitlines())
            except (OSError, ValueError):
                continue
            if limit < UNLIMITED_BYTES:
                return max(0, now - int(stat.get(cache, 0))), limit
    return None


def _tree(pid: int, proc: Path) -> Iterator[int]:
    """The process and its descendants."""
    yield pid
    for children in sorted((proc / str(pid) / "task").glob("*/children")):
        try:
            told = children.read_text().split()
        except OSError:  # the thread has ended
            continue
        for child in told:
            yield from _tree(int(child), proc)


def _resident_bytes(pid: int, proc: Path) -> int | None:
    """What each has in memory that is of no file, added up: pages that a child shares with its parent since the fork count twice."""
    pages = 0
    for one in _tree(pid, proc):
        try:
            _, resident, shared, *_ = map(int, (proc / str(one) / "statm").read_text().split())
        except (OSError, ValueError):
            continue
        pages += resident - shared
    return pages * os.sysconf("SC_PAGESIZE") or None


def _cpu_seconds(pid: int, proc: Path) -> float | None:
    """User and system time of each, with that of its children that have ended."""
    ticks = 0
    for one in _tree(pid, proc):
        try:
            # The second field is the program's name in brackets, which may hold anything.
            fields = (proc / str(one) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    ticks = _most_ticks[pid, proc] = max(ticks, _most_ticks.get((pid, proc), 0))
    return ticks / os.sysconf("SC_CLK_TCK") if ticks else None
