"""Restarts pool processes that run but do not live, as a kubelet does: `python -m conductor.laptop.liveness`.

Every five seconds each worker, relay and beat is asked by its heartbeat file, the API by HTTP. Three failures in a row and
the process is killed with its children; the supervisor starts it again. Before a process first answered well it has its
pool's startup time. What the supervisor gave up on is started again, too, at a slower pace. While it runs, no other platform gets
this one's ports.
"""

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import psutil

from conductor import history
from conductor.errors import NotRunning
from conductor.history import Kill
from conductor.laptop import probes, programs
from conductor.laptop.platform import Platform, capstone_of, pool_of
from conductor.laptop.ports import Kept
from conductor.laptop.state import loaded
from conductor.laptop.supervisor import Process
from conductor.run_directory import RunDirectory

PERIOD_SECONDS = 5.0
FAILURES_TOLERATED = 3
GIVEN_UP_PERIODS = 6
"""A process that the supervisor gave up on is started again every so many rounds."""


@dataclass
class Watch:
    """What is known of one process id: whether it ever was well, and how often it has failed since."""

    began: bool = False
    failures: int = 0


@dataclass
class Keeper:
    """One round asks everybody once. `watches` is keyed by process name and pid: a restarted one begins anew."""

    platform: Platform
    watches: dict[tuple[str, int], Watch] = field(default_factory=dict)
    rounds: int = 0

    def round(self, now: float) -> list[str]:
        """Ask all, kill what failed too often; the names killed. `now` is unix seconds."""
        self.rounds += 1
        processes = self.platform.supervisor.processes()
        if self.rounds % GIVEN_UP_PERIODS == 0:
            for process in processes:
                if process.state == "FATAL":
                    self.platform.supervisor.start_again(process.name)
        running = [process for process in processes if process.state == "RUNNING" and pool_of(process.name)]
        self.watches = {(p.name, p.pid): self.watches.get((p.name, p.pid), Watch()) for p in running}
        return [process.name for process in running if self._dead(process, now)]

    def _dead(self, process: Process, now: float) -> bool:
        watch = self.watches[process.name, process.pid]
        own = self.platform.of(capstone_of(process.name) or "")
        pool = own.pools.get(pool_of(process.name) or "") if own else None
        if pool is None:
            return False
        answer = probes.ask("live", pool.role, programs.environment_of(process.name, self.platform.run))
        if answer.well:
            watch.began, watch.failures = True, 0
            return False
        if not watch.began and now - process.since < pool.startup_seconds:
            return False
        watch.failures += 1
        say("not live", process=process.name, pid=process.pid, failures=watch.failures, reason=answer.reason)
        if watch.failures < FAILURES_TOLERATED:
            return False
        kill_tree(process.pid)
        say("killed", process=process.name, pid=process.pid)
        return True


def kill_tree(pid: int) -> None:
    """SIGKILL a process and everything below it, as when a container is killed."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def say(event: str, **facts: object) -> None:
    """One JSON line in the keeper's log."""
    print(json.dumps({"at": round(time.time(), 3), "event": event, **facts}), flush=True)


def ticks(stop: SimpleQueue[None]) -> Iterator[float]:
    """The time, once a period, until told to stop. (An Event's `set` is not safe in a signal handler; see chassis.relay.)"""
    while True:
        try:
            stop.get(timeout=PERIOD_SECONDS)
        except Empty:
            yield time.time()
        else:
            return


def main() -> None:
    """Watch the platform of CAPSTONE_RUN_DIR until SIGTERM."""
    stop: SimpleQueue[None] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.put(None))
    run = RunDirectory.chosen()
    keeper = Keeper(Platform(run, loaded(run.state)))
    ports = Kept(keeper.platform.state.ports.values())
    for now in ticks(stop):
        ports.take()
        # A roll may take a process away between the list and the question; no supervisor means that all ends.
        with contextlib.suppress(FileNotFoundError, NotRunning):
            for name in keeper.round(now):
                history.append(run.kills(capstone_of(name) or name), Kill(now, pool_of(name) or name, "tree", ()))
    ports.close()


if __name__ == "__main__":
    main()
