"""What a running platform looks like now: processes, queues, requests, addresses. Reads only."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from conductor.errors import NotRunning
from conductor.laptop import programs, start
from conductor.laptop.platform import Platform, capstone_of, pool_of
from conductor.laptop.queue_depths import Depth, QueueDepths
from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.supervisor import Process

READINESS_SECONDS = 5.0
"""Asking every process whether it is ready costs some 0.2 s of CPU: a screen that refreshes each second does it less often."""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One supervised process with all below it: `cpu_percent` of one core since the last look, `rss_bytes` summed."""

    name: str
    pool: str | None
    state: str
    pid: int
    uptime_seconds: int
    restarts: int
    processes: int
    cpu_percent: float
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Status:
    """`ready` when `unready` is empty; `requests` counts those of each capstone by state, None while the database does not answer.

    No address has a password.
    """

    broker: str
    ready: bool
    unready: Sequence[str]
    processes: Sequence[ProcessStatus]
    queues: Sequence[Depth]
    requests: Mapping[str, Mapping[str, int] | None]
    addresses: Mapping[str, str]


class Gatherer:
    """Gathers again and again; keeps connections and what CPU shares are counted from.

    It shows what these capstones of one platform have, and what all share.
    """

    def __init__(self, runtimes: Sequence[LocalRuntime]) -> None:
        self._runtimes = runtimes
        self._platform = runtimes[0].platform
        self._seen: dict[int, psutil.Process] = {}
        self._depths = [QueueDepths(one.platform) for one in runtimes]
        self._progress = {one.platform.name: one.platform.capstone.progress(one) for one in runtimes}
        self._unready: list[str] = []
        self._asked_at = -READINESS_SECONDS

    def gather(self) -> Status:
        """A look at everything; what does not answer is told, never raised but NotRunning."""
        others = {one.name for one in self._platform.every} - self._progress.keys()
        known = [one for one in self._platform.supervisor.processes() if capstone_of(one.name) not in others]
        if not self._seen:
            # CPU shares are counted from an earlier look; asking who is ready takes long enough for one.
            for process in known:
                self._process(process)
        unready = self._who_is_unready()
        return Status(
            broker=self._runtimes[0].broker,
            ready=not unready,
            unready=unready,
            processes=[self._process(process) for process in sorted(known, key=_order)],
            queues=[depth for one in self._depths for depth in one.read()],
            requests={name: progress.by_state() for name, progress in self._progress.items()},
            addresses=_addresses(self._runtimes),
        )

    def _who_is_unready(self) -> list[str]:
        if time.monotonic() - self._asked_at >= READINESS_SECONDS:
            self._unready, self._asked_at = _unready(self._platform), time.monotonic()
        return self._unready

    def _process(self, process: Process) -> ProcessStatus:
        cpu, rss, count = 0.0, 0, 0
        for member in self._family(process.pid):
            with contextlib.suppress(psutil.Error):
                cpu += member.cpu_percent(None)
                rss += member.memory_info().rss
                count += 1
        return ProcessStatus(
            name=process.name,
            pool=pool_of(process.name),
            state=process.state.lower(),
            pid=process.pid,
            uptime_seconds=int(time.time()) - process.since if process.pid else 0,
            restarts=max(0, programs.starts(process.name, self._platform.run) - 1),
            processes=count,
            cpu_percent=round(cpu, 1),
            rss_bytes=rss,
        )

    def _family(self, pid: int) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            if pid:
                parent = self._seen.setdefault(pid, psutil.Process(pid))
                return [parent, *(self._seen.setdefault(c.pid, c) for c in parent.children(recursive=True))]
        return []


def without_secrets(url: str) -> str:
    """A server's address without user and password, fit to be shown; of a cluster that of its first node."""
    scheme, _, rest = url.partition(",redis")[0].partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _addresses(runtimes: Sequence[LocalRuntime]) -> dict[str, str]:
    """Without passwords; whose an address is stands before its name where several capstones are shown."""
    return {
        name if len(runtimes) == 1 else f"{one.platform.name}.{name}": without_secrets(url)
        for one in runtimes
        for name, url in one.addresses().items()
    }


def _unready(platform: Platform) -> list[str]:
    try:
        return start.unready(platform)
    except NotRunning as error:
        return [str(error)]


def _order(process: Process) -> tuple[bool, str]:
    return pool_of(process.name) is None, process.name


def gather(runtimes: Sequence[LocalRuntime]) -> Status:
    """One look."""
    return Gatherer(runtimes).gather()


def as_json(status: Status) -> dict[str, Any]:
    """For programs: plain lists and maps; requests by state under the name of each capstone."""
    told = asdict(status)
    requests = told.pop("requests")
    return {
        **told,
        **requests,
        "queues": {depth.queue: {"messages": depth.messages, "consumers": depth.consumers} for depth in status.queues},
    }
