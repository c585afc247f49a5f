"""A session on this laptop: the load runs in this process, and processes are killed and rolled one by one."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from conductor.capabilities import Moment, OwnsShard, Plan, RejectsMessages, Target
from conductor.capstone import Capstone, Effects, Patience, Size, application, capability
from conductor.errors import DrillFailed
from conductor.harness import batch_kill, dependency_faults, laptop_versions, parked, targeted_kill
from conductor.harness.broker_client import BrokerClient
from conductor.harness.laptop_versions import LaptopVersions
from conductor.harness.outbox_state import Held
from conductor.harness.reporter import Reporter, away
from conductor.harness.workload_run import WorkloadRun
from conductor.history import Kill, now
from conductor.laptop import signalling
from conductor.runtime import UNCHANGED, Change, ProcessRuntime, Reach, Rolled, ServerName, SmallVolume, Which
from conductor.verdict import Verdict

ENDED_SECONDS = 10.0
"""Within which the children of a process that was killed have to end by themselves."""


class LaptopSession(WorkloadRun):
    """See conductor.harness.session.Session."""

    def __init__(
        self,
        capstone: Capstone,
        runtime: ProcessRuntime,
        size: Size,
        reporter: Reporter,
        journal: Path,
        patience: Patience,
    ) -> None:
        super().__init__(capstone, runtime, size, reporter, journal, patience)
        self.runtime = runtime

    @cached_property
    def effects(self) -> Effects:
        """What took effect so far."""
        return self.capstone.effects(self.access)

    def in_flight(self) -> int | None:
        return self.progress.in_flight()

    def submit(self, name: str) -> str:
        return self.workload.submit(name)

    def targets(self) -> Sequence[Target]:
        return self.capstone.targets

    def replicated(self, *pools: str) -> AbstractContextManager[None]:
        # The supervisor starts a killed process again at once, and nobody else waits for it.
        return contextlib.nullcontext()

    def holding(self, target: Target, moment: Moment, *, seed: int) -> AbstractContextManager[None]:
        return dependency_faults.holding(self.access, target, moment, seed=seed)

    def aimed_kill(self, target: Target, which: Which, moment: Moment) -> Kill:
        if target.flush is not None:
            return batch_kill.kill_holding(self, target.pool, target.flush, moment)
        return targeted_kill.aimed_kill(self, self.effects, target.pool, which, moment)

    def kill_running(self, pool: str, command: str, start: int) -> Kill:
        def runs(held: Sequence[Held]) -> Moment | None:
            # Locked, and not yet counted, is not started.
            return "before" if any(one.key == command and one.attempts >= start for one in held) else None

        return targeted_kill.kill_when(self, pool, "child", runs)

    def faults(self, server: str, plan: Plan) -> AbstractContextManager[None]:
        return dependency_faults.faults(self.access, server, plan)

    def publish(self, queue: str, messages: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        with BrokerClient.of(self.runtime) as broker:
            broker.send_all(queue, messages)

    def startable(self, request: str) -> bool:
        return capability(self.capstone, RejectsMessages).startable(self.access, request)

    def attention(self, request: str) -> str | None:
        return capability(self.capstone, RejectsMessages).attention(self.access, request)

    @property
    def reach(self) -> Reach:
        return self.access

    def now(self) -> float:
        return now()

    def history(self) -> AbstractContextManager[Path]:
        return contextlib.nullcontext(self.journal.path)

    def kill_process(self, pool: str) -> None:
        self.kill(pool)

    def kill_parent(self, pool: str) -> None:
        below = self.children(pool)
        self.kill(pool, "parent")
        self.wait_for(lambda: all(map(signalling.dead, below)), "the children to end with their owner", ENDED_SECONDS)

    @contextlib.contextmanager
    def changed(self, pool: str, settings: Mapping[str, str]) -> Iterator[None]:
        self.roll(pool, Change(settings=settings))
        try:
            yield
        finally:
            self.roll(pool)

    def kill(self, pool: str, which: Which = "tree", number: int = signal.SIGKILL, index: int = 0) -> Sequence[int]:
        """Signal a process, and write it down when that ends it. Returns the pids."""
        in_flight = self.progress.in_flight() if self._progress else None
        at = now()
        pids = self.runtime.kill(pool, which, number, index)
        if number == signal.SIGKILL and pids:
            self.record(Kill(at, pool, which, tuple(pids), open_orders=in_flight))
        return pids

    def small_volume(self, pool: str, free_mebibytes: int) -> AbstractContextManager[SmallVolume]:
        return self.runtime.own_volume(pool, free_mebibytes)

    def children(self, pool: str) -> Mapping[int, str]:
        return signalling.names(pid for tree in self.runtime.trees(pool)[:1] for pid in tree.children)

    def signal_child(self, pool: str, name: str, number: signal.Signals) -> int:
        in_flight, at = self.progress.in_flight(), now()
        found = self.children(pool)
        pid = next((pid for pid, one in found.items() if one == name), None)
        if pid is None:
            raise DrillFailed(f"{pool} has no {name}, it has {', '.join(sorted(found.values()))}")
        os.kill(pid, number)
        if number != signal.SIGCONT:
            self.record(Kill(at, pool, "child", (pid,), open_orders=in_flight))
        return pid

    def away_after(self, fault: Callable[[], None]) -> float:
        capability(self.capstone, OwnsShard)
        with self.workload.hurried():
            self.await_loaded()
            before = len(self.away_seconds)
            fault()
            return self.await_back(before)

    def restart_server(self, name: ServerName, *, hard: bool) -> None:
        self.reporter.tell(f"[red]{name} {'crashes' if hard else 'restarts'}[/red]")
        began = now()
        self.runtime.restart_server(name, hard=hard)
        self.record(Kill(began, name, "server", (), until=now()))
        self.reporter.tell(f"{name} answers again")

    def roll(self, pool: str, change: Change = UNCHANGED) -> Rolled:
        """Roll a pool, and write down each process that had to be killed."""
        rolled = self.runtime.roll(pool, change)
        for old in rolled.stopped:
            if old.killed:
                self.record(Kill(now(), pool, "tree", ()))
                self.reporter.tell(f"[red]{old.name} had to be killed after {old.seconds:.0f} s[/red]")
        longest = max((old.seconds for old in rolled.stopped), default=0.0)
        self.reporter.tell(f"rolled {pool}: the old process left after {longest:.1f} s")
        return rolled

    @property
    def deploys(self) -> int:
        return 2 if self.size.large else 1

    def deploy(self, number: int) -> None:
        for pool in self.runtime.pools():
            self.reporter.tell(f"rolling {pool} with {self.await_loaded()} requests in flight")
            rolled = self.roll(pool)
            killed = any(old.killed for old in rolled.stopped)
            self.expect(not killed, f"{pool} did not end within its grace: a deploy killed it")

    def versions(self) -> AbstractContextManager[LaptopVersions]:
        return laptop_versions.unpacked(self)

    def accepted(self, last: int) -> list[str]:
        return self.capstone.accepted([self.journal.path])[-last:]

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.access.addresses()["database"], autocommit=True) as connection:
            # Written by a plug-in, not typed by anybody.
            done = connection.execute(statement.encode(), values)
            return done.fetchall() if done.description else []

    def parked(self) -> list[dict[str, Any]]:
        return parked.parked(self.runtime, application(self.capstone.name))

    def replay_parked(self, *ids: int) -> list[dict[str, Any]]:
        return parked.replay(self.runtime, application(self.capstone.name), *ids)

    def drop_parked(self, *ids: int) -> list[dict[str, Any]]:
        return parked.drop(self.runtime, application(self.capstone.name), *ids)

    def expect_no_failed_request(self) -> None:
        # As many requests are sent as are answered, so the API may tell a client to come again without a deploy.
        again = self.workload.asked_again().total()
        self.reporter.tell(f"{again} requests had to be sent again{away(self.away_seconds)}")

    def verdict(self) -> Verdict:
        self.settle()
        return super().verdict()

    def close(self) -> None:
        if "effects" in vars(self):
            self.effects.close()
        super().close()
