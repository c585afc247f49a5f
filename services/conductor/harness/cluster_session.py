"""A session in a cluster: load and verdict are with a judge inside (see cluster_judge), faults are injected from here."""

import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

from psycopg import sql

from conductor.capabilities import Moment, OwnsShard, Plan, Target
from conductor.capstone import capability, offered
from conductor.cluster import memory_volume, pod_processes, pool_changes, pool_values
from conductor.cluster.access import ClusterAccess
from conductor.cluster.releases import name_of, runs_in
from conductor.errors import ClusterFailed, DrillFailed
from conductor.harness import cluster_kill, cluster_versions, questions, volume_verdict
from conductor.harness.cluster_versions import ClusterVersions
from conductor.harness.judged_load import JudgedLoad
from conductor.harness.reporter import away
from conductor.history import Kill
from conductor.runtime import Reach, ServerName, SmallVolume, Which
from conductor.verdict import Excused, Finding, Verdict
from conductor.waiting import until

HELD_CALLS = {"rate": {"slow": 0.2}, "slow_seconds": 2.0}
"""Calls that are kept waiting so that a kill finds a task: long enough for the way from the look to the kill."""


ENDED_SECONDS = 30.0
"""Within which a container has to end whose first process was killed."""


class ClusterSession(JudgedLoad):
    """See conductor.harness.session.Session."""

    @cached_property
    def reach(self) -> Reach:
        return self._opened.enter_context(ClusterAccess(self.runtime.namespace, self.capstone.name))

    def targets(self) -> Sequence[Target]:
        # Between the look and the kill lies a call to the cluster: a task that nothing keeps waiting is over by then.
        return [target for target in self.capstone.targets if target.server or target.submitted or target.flush]

    def replicated(self, *pools: str) -> AbstractContextManager[None]:
        return self.runtime.at_least(2, *pools)

    @contextlib.contextmanager
    def holding(self, target: Target, moment: Moment, *, seed: int) -> Iterator[None]:
        if target.server is None:
            yield
            return
        with self.faults(target.server, {**HELD_CALLS, "seed": seed}):
            yield

    @contextlib.contextmanager
    def faults(self, server: str, plan: Plan) -> Iterator[None]:
        self.ask(questions.Fail(server, plan))
        yield
        self.ask(questions.Calm(server))

    def aimed_kill(self, target: Target, which: Which, moment: Moment) -> Kill:
        return cluster_kill.aimed_kill(self, target, which)

    def kill_running(self, pool: str, command: str, start: int) -> Kill:
        return cluster_kill.kill_running(self, pool, command, start)

    def kill_process(self, pool: str) -> None:
        with self.fault(pool, "tree"):
            self.runtime.kill_pod(self.runtime.pods(pool)[0]["metadata"]["name"])

    def kill_parent(self, pool: str) -> None:
        self.runtime.wait_ready(pool)
        pod = self.runtime.pods(pool)[0]
        before = runs_in(pod)
        with self.fault(pool, "parent"):
            failed: str | None = None
            try:
                pod_processes.kill_first(self.runtime.kubectl, name_of(pod))
            except ClusterFailed as error:
                # What was run in there ends with all others.
                failed = str(error)
            # Its first process is the container: when it has ended, nothing of it is left.
            self.wait_for(
                lambda: before not in map(runs_in, self.runtime.pods(pool)),
                lambda: f"the container of {name_of(pod)} to end" + (f": {failed}" if failed else ""),
                ENDED_SECONDS,
            )

    def changed(self, pool: str, settings: Mapping[str, str]) -> AbstractContextManager[None]:
        return pool_changes.settings(self.runtime.kubectl, self.runtime.workload(pool), settings)

    def small_volume(self, pool: str, free_mebibytes: int) -> AbstractContextManager[SmallVolume]:
        folder = pool_values.folders(self.runtime.own)[pool]
        return memory_volume.mounted(
            self.runtime.kubectl, self.runtime.workload(pool), self._first(pool), folder, free_mebibytes
        )

    def children(self, pool: str) -> Mapping[int, str]:
        return pod_processes.names(self.runtime.kubectl, self._first(pool))

    def signal_child(self, pool: str, name: str, number: signal.Signals) -> int:
        with contextlib.nullcontext() if number == signal.SIGCONT else self.fault(pool, "child"):
            return pod_processes.send(self.runtime.kubectl, self._first(pool), name, number)

    def _first(self, pool: str) -> str:
        found = self.runtime.pods(pool)
        self.expect(bool(found), f"{pool} has no pod")
        return name_of(found[0])

    def evict(self, pool: str) -> None:
        """Have the cluster evict the pool's first pod, as a drain does. Raises ClusterFailed where a budget forbids it."""
        self.runtime.evict(self._first(pool))

    def away_after(self, fault: Callable[[], None]) -> float:
        capability(self.capstone, OwnsShard)
        times = int(self.ask(questions.Hurry())["times"])
        fault()
        return float(self.ask(questions.AwaitBack(times))["away_seconds"])

    @contextlib.contextmanager
    def fault(self, pool: str, which: str, in_flight: int | None = None) -> Iterator[None]:
        """Write down that what happens in the block breaks something of the pool."""
        since = self.now()
        try:
            yield
        finally:
            self.ask(questions.Record(pool, which, since, in_flight))

    def restart_server(self, name: ServerName, *, hard: bool) -> None:
        self.reporter.tell(f"[red]{name} {'crashes' if hard else 'restarts'}[/red]")
        with self.fault(name, "server"):
            self.runtime.restart_server(name, hard=hard)
        self.reporter.tell(f"{name} answers again")

    @property
    def deploys(self) -> int:
        # The second one brings back the version that was there before. Without another version it is like the first.
        return 2 if self.size.large or self.runtime.next_tag is not None else 1

    def deploy(self, number: int) -> None:
        back = number % 2 == 0
        self.reporter.tell(f"deploying with {self.await_loaded()} requests in flight")
        cluster_versions.deploy(self, back=back, number=number)
        self.reporter.tell("every pod is new and ready")

    def versions(self) -> AbstractContextManager[ClusterVersions]:
        return cluster_versions.restored(self)

    # The database, and what is parked

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        parts = statement.split("%s")
        literals = [sql.Literal(value).as_string(None) for value in values]
        text = "".join(part + literal for part, literal in zip(parts, [*literals, ""], strict=True))
        return [tuple(row) for row in self.runtime.sql(text)]

    def parked(self) -> list[dict[str, Any]]:
        return self.runtime.parked("list")

    def replay_parked(self, *ids: int) -> list[dict[str, Any]]:
        return self.runtime.parked("replay", *map(str, ids), "--actor", "drill")

    def drop_parked(self, *ids: int) -> list[dict[str, Any]]:
        return self.runtime.parked("drop", *map(str, ids), "--actor", "drill")

    def publish(self, queue: str, messages: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self.ask(questions.Publish(queue, messages))

    def startable(self, request: str) -> bool:
        return bool(self.ask(questions.Startable(request))["startable"])

    def attention(self, request: str) -> str | None:
        found: str | None = self.ask(questions.Attention(request))["attention"]
        return found

    # What must be

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            raise DrillFailed(what)

    def expect_no_failed_request(self) -> None:
        again = self.status.get("asked_again", 0)
        if offered(self.capstone, OwnsShard):
            # Its process leaves before the next one comes, and clients wait meanwhile.
            self.reporter.tell(f"{again} times a client came again{away(self.status['away_seconds'])}")
            self.expect(self.status["gave_up"] == 0, f"{self.status['gave_up']} requests were never answered")
            return
        self.expect(again == 0, f"{again} requests had to be sent again: {self.status.get('why')}")

    def expect_told_when(self) -> None:
        """DrillFailed when a client was left without an answer, or asked in vain: being told when to come again is allowed."""
        told = self.status
        untold = told.get("abrupt", 0) + told.get("gave_up", 0)
        self.expect(
            untold == 0, f"{untold} requests were not told when to come again, or never answered: {told.get('why')}"
        )

    def wait_for(self, holds: Callable[[], bool], what: str | Callable[[], str], within_seconds: float = 180) -> None:
        found = until(holds, within_seconds=within_seconds, every_seconds=1.0)
        self.expect(found, f"waited in vain for {what if isinstance(what, str) else what()}")

    def verdict(self) -> Verdict:
        self.reporter.phase("waiting until every request is completed")
        if offered(self.capstone, OwnsShard):
            self.ask(questions.Settle())
            with self.history() as path:
                return volume_verdict.judged(self.capstone, self.runtime, path)
        told = self.ask(questions.Judge())
        self.ask(questions.Leave())
        findings = [Finding(**finding) for finding in told["findings"]]
        excused = [Excused(**one) for one in told["excused"]]
        return Verdict(**{**told, "findings": findings, "excused": excused})
