"""CPU time by stage, from the kernel's counters: a supervised process with its children, those that ended included."""

import contextlib
from collections.abc import Mapping

import psutil


def seconds(pids: Mapping[str, list[int]]) -> dict[str, float]:
    """CPU seconds (user and system) so far of each stage, given its processes. Only differences mean anything."""
    return {stage: sum(_tree(pid) for pid in own) for stage, own in pids.items()}


def since(before: Mapping[str, float], pids: Mapping[str, list[int]]) -> dict[str, float]:
    """CPU seconds of each stage since `before`."""
    return {stage: now - before.get(stage, 0.0) for stage, now in seconds(pids).items()}


def _tree(pid: int) -> float:
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                # A child that ended is in its parent's account, so nothing is lost when one is replaced.
                total += sum(process.cpu_times()[:4])
    return total
