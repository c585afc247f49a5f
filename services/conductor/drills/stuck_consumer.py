"""Consumers that are there and do nothing: cancelled by the broker, stopped, with children that never return. They come back.

What merely looks stuck is left alone: a queue where nothing comes for long, and a task that takes long but not too long.
"""

import signal

from conductor.capabilities import HoldsCalls
from conductor.capstone import capability
from conductor.harness import dependency_faults
from conductor.harness.broker_client import BrokerClient
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession
from conductor.waiting import until

RECOVERY_SECONDS = 180.0
"""Longest that a consumer may stay stuck: a hard limit or a stale heartbeat, three probes, and a start."""

QUIET_SECONDS, SMALL_QUIET_SECONDS = 55.0, 25.0
"""Longer than a heartbeat may be stale and three probes may fail; in a small drill, longer than three probes and the task."""

LEGAL_TASK_SECONDS = 6.0
"""Within the soft limit and the outside's time-out set below."""


def play(session: LaptopSession) -> None:
    """Make consumers stuck in each way under load; then see that quiet and patience are not taken for it."""
    first, *others = [target.pool for target in session.capstone.targets]
    with session.load():
        session.await_loaded()
        with BrokerClient.of(session.runtime) as broker:
            (queue,) = session.runtime.pools()[first].queues
            session.reporter.tell(f"[red]{broker.cut_consumers(queue)}[/red]")
        session.await_progress()
        session.reporter.tell("consumed again")
        session.await_loaded()
        _stopped(session, children_of=first, whole=others[0] if others else None)
        session.await_progress()
    session.settle()
    _left_alone(session)


def _stopped(session: LaptopSession, *, children_of: str, whole: str | None) -> None:
    """A whole worker, where there is another pool, and all children of one worker stop without ending."""
    runtime = session.runtime
    worker = runtime.trees(whole)[0] if whole else None
    if worker:
        runtime.kill(worker.pool, "tree", signal.SIGSTOP)
    parent = runtime.trees(children_of)[0]
    for index in range(len(parent.children)):
        runtime.kill(children_of, "child", signal.SIGSTOP, index)
    stopped = f"{worker.name}, and " if worker else ""
    session.reporter.tell(f"[red]stopped {stopped}the {len(parent.children)} children of {parent.name}[/red]")

    def new_children() -> bool:
        trees = runtime.trees(children_of)
        return bool(trees and trees[0].children) and not set(trees[0].children) & set(parent.children)

    if worker:

        def replaced() -> bool:
            return all(worker.pid != tree.pid for tree in runtime.trees(worker.pool) or [worker])

        session.wait_for(replaced, f"{worker.name} to be replaced", RECOVERY_SECONDS)
        session.reporter.tell(f"{worker.name} was killed and started again")
    session.wait_for(new_children, f"the children of {parent.name} to be replaced", RECOVERY_SECONDS)
    session.reporter.tell(f"the children of {parent.name} were killed at their time limit, and replaced")


def _left_alone(session: LaptopSession) -> None:
    quiet_seconds = QUIET_SECONDS if session.size.large else SMALL_QUIET_SECONDS
    session.reporter.phase(f"{quiet_seconds:.0f} s with empty queues and a task of {LEGAL_TASK_SECONDS:.0f} s")
    server = capability(session.capstone, HoldsCalls).slow.server
    assert server is not None, "calls are held at a server"
    before = _processes(session)
    plan = {"rate": {"slow": 1.0}, "slow_seconds": LEGAL_TASK_SECONDS}
    with dependency_faults.faults(session.access, server, plan):
        session.workload.submit("patient")
        changed = until(lambda: _processes(session) != before, within_seconds=quiet_seconds, every_seconds=1.0)
    session.expect(not changed, f"a healthy process was restarted: {before} became {_processes(session)}")
    session.reporter.tell("nothing was restarted")


def _processes(session: LaptopSession) -> dict[str, int]:
    return {tree.name: tree.pid for pool in session.runtime.pools() for tree in session.runtime.trees(pool)}


DRILL = Drill(
    "stuck-consumer",
    "cancels, stops and deadlocks consumers; leaves quiet and slow ones alone",
    on_laptop=play,
    needs=(HoldsCalls,),
    requests=500,
    settings={"OUTSIDE_TIMEOUT_SECONDS": "8", "BATCH_BUDGET_SECONDS": "3", "VISIBILITY_TIMEOUT_SECONDS": "25"},
    pools={"timeLimitSeconds": 20, "softTimeLimitSeconds": 15},
)
