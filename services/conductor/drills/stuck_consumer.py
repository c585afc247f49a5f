"""Consumers that are there and do nothing: cancelled by the broker, stopped, with children that never return. They come back.

What merely looks stuck is left alone: a queue where nothing comes for long, and a task that takes long but not too long.
"""

import signal

from conductor.capstones.orders import purchases
from conductor.capstones.orders.api_client import OrdersApi
from conductor.harness import dependency_faults
from conductor.harness.broker_client import BrokerClient
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage
from conductor.history import Accepted, Intent, now
from conductor.waiting import until

RECOVERY_SECONDS = 180.0
"""Longest that a consumer may stay stuck: a hard limit or a stale heartbeat, three probes, and a start."""

QUIET_SECONDS, SMALL_QUIET_SECONDS = 55.0, 25.0
"""Longer than a heartbeat may be stale and three probes may fail; in a small drill, longer than three probes and the task."""

LEGAL_TASK_SECONDS = 6.0
"""Within the soft limit and the outside's time-out set below."""


def play(stage: Stage) -> None:
    """Make consumers stuck in each way under load; then see that quiet and patience are not taken for it."""
    with stage.orders():
        stage.await_open()
        with BrokerClient(stage.runtime) as broker:
            stage.story.tell(f"[red]{broker.cut_consumers('orders.payments')}[/red]")
        stage.await_progress()
        stage.story.tell("consumed again")
        stage.await_open()
        _stopped(stage)
        stage.await_progress()
    stage.settle()
    _left_alone(stage)


def _stopped(stage: Stage) -> None:
    """A whole worker, and all children of another one, stop without ending."""
    worker = stage.runtime.trees("fulfilment")[0]
    stage.runtime.kill("fulfilment", "tree", signal.SIGSTOP)
    parent = stage.runtime.trees("payments")[0]
    for index in range(len(parent.children)):
        stage.runtime.kill("payments", "child", signal.SIGSTOP, index)
    stage.story.tell(f"[red]stopped {worker.name}, and the {len(parent.children)} children of {parent.name}[/red]")

    def replaced() -> bool:
        return all(worker.pid != tree.pid for tree in stage.runtime.trees("fulfilment") or [worker])

    def new_children() -> bool:
        trees = stage.runtime.trees("payments")
        return bool(trees and trees[0].children) and not set(trees[0].children) & set(parent.children)

    stage.wait_for(replaced, f"{worker.name} to be replaced", RECOVERY_SECONDS)
    stage.story.tell(f"{worker.name} was killed and started again")
    stage.wait_for(new_children, f"the children of {parent.name} to be replaced", RECOVERY_SECONDS)
    stage.story.tell(f"the children of {parent.name} were killed at their time limit, and replaced")


def _left_alone(stage: Stage) -> None:
    quiet_seconds = QUIET_SECONDS if stage.size.large else SMALL_QUIET_SECONDS
    stage.story.phase(f"{quiet_seconds:.0f} s with empty queues and a task of {LEGAL_TASK_SECONDS:.0f} s")
    before = _processes(stage)
    plan = {"rate": {"slow": 1.0}, "slow_seconds": LEGAL_TASK_SECONDS}
    with dependency_faults.faults(stage.runtime, "payments", plan), OrdersApi.of(stage.runtime) as api:
        customer = f"{stage.load.prefix}patient"
        wish = purchases.purchase(customer, sku="RADIO", quantity=1, card="tok_ok")
        stage.journal.write(Intent(now(), f"{customer}.key", customer, wish.pieces))
        receipt = stage.insist(lambda: api.place(f"{customer}.key", wish.body))
        stage.journal.write(Accepted(now(), f"{customer}.key", receipt["order_id"], receipt["total_minor"], 1))
        changed = until(lambda: _processes(stage) != before, within_seconds=quiet_seconds, every_seconds=1.0)
    stage.expect(not changed, f"a healthy process was restarted: {before} became {_processes(stage)}")
    stage.story.tell("nothing was restarted")


def _processes(stage: Stage) -> dict[str, int]:
    return {tree.name: tree.pid for pool in stage.runtime.pools() for tree in stage.runtime.trees(pool)}


DRILL = Drill(
    "stuck-consumer",
    "cancels, stops and deadlocks consumers; leaves quiet and slow ones alone",
    play,
    orders=500,
    settings={"OUTSIDE_TIMEOUT_SECONDS": "8", "BATCH_BUDGET_SECONDS": "3", "VISIBILITY_TIMEOUT_SECONDS": "25"},
    pools={"timeLimitSeconds": 20, "softTimeLimitSeconds": 15},
)
