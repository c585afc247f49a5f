"""Workers and their children are killed before, during and after the effects of their tasks; no deploy is as rude as an empty memory."""

from collections import Counter
from functools import partial

from conductor.capstones.orders.evidence import LedgerTail
from conductor.errors import DrillFailed
from conductor.harness import dependency_faults, targeted_kill
from conductor.harness.cluster_session import ClusterStage
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage
from conductor.waiting import until

AIMED_SECONDS = 120.0
"""How long a kill in a cluster waits for a task that it hits."""

POOLS = {"payments": "payments", "fulfilment": "carrier", "notifications": "mail", "saga": None}
"""Pools whose tasks are killed, and the server that each calls."""


def play(stage: Stage) -> None:
    """Kill tasks by their moment, each time with orders open, and in the end what only passes orders on."""
    ledgers = LedgerTail(stage.runtime)
    with stage.orders():
        stage.story.phase(f"{stage.size.kills} kills")
        for number, (pool, which, moment) in enumerate(
            targeted_kill.schedule(stage, tuple(POOLS), stage.size.kills), 1
        ):
            stage.await_open()
            with dependency_faults.holding(stage.runtime, POOLS[pool], moment, seed=number):
                kill = targeted_kill.aimed_kill(stage, ledgers, pool, which, moment)
            stage.story.tell(
                f"{number:3}. killed a {pool} {'worker' if which == 'tree' else 'child'} [red]{kill.moment}[/red] the effects of "
                f"{len(kill.commands)} commands, {kill.open_orders} orders open"
            )
        for pool in ("relay", "api"):
            stage.await_open()
            stage.kill(pool)
            stage.story.tell(f"killed the {pool}")
    ledgers.close()
    moments = Counter(kill.moment for kill in stage.kills)
    stage.story.tell(f"by moment: {moments['before']} before, {moments['during']} during, {moments['after']} after")


def play_on_cluster(stage: ClusterStage) -> None:
    """Kill pods and children that are running commands, and see by the commands that stay open that the kill hit them.

    As wherever a dead pod may not stop the rest, each pool that is struck has a second one.
    """
    calling = {pool: server for pool, server in POOLS.items() if server}
    with stage.runtime.at_least(2, *calling), stage.orders():
        stage.story.phase(f"{stage.size.kills} kills")
        for number in range(stage.size.kills):
            pool = list(calling)[number % len(calling)]
            which = "child" if number // len(calling) % 2 else "pod"
            open_orders = stage.await_open()
            stage.ask("slow", server=calling[pool], rate=0.2, seconds=2.0, seed=number)
            hit: list[str] = []
            struck = partial(_struck, stage, pool, which, open_orders, hit)
            if not until(struck, within_seconds=AIMED_SECONDS):
                raise DrillFailed(f"no kill hit a running task of {pool} within {AIMED_SECONDS:.0f} s")
            stage.ask("calm", server=calling[pool])
            stage.story.tell(
                f"{number + 1:3}. killed a {pool} {which} at {len(hit)} commands, {open_orders} orders open"
            )
        for pool in ("saga", "relay"):
            with stage.blow(pool, "pod", stage.await_open()):
                stage.runtime.kill_pod(stage.runtime.pods(pool)[0]["metadata"]["name"])
            stage.story.tell(f"killed the {pool}")


def _struck(stage: ClusterStage, pool: str, which: str, open_orders: int, hit: list[str]) -> bool:
    """Kill if something runs; whether what ran then has no outcome after it. `hit` is those commands."""
    running = [pod for pod in stage.runtime.pods(pool) if pod["status"].get("podIP")]
    pod = running[0] if running else None
    held = stage.ask("held", address=pod["status"]["podIP"])["keys"] if pod else []
    if pod is None or not held:
        return False
    with stage.blow(pool, which, open_orders):
        kill = stage.runtime.kill_pod if which == "pod" else stage.runtime.kill_child
        kill(pod["metadata"]["name"])
    hit[:] = stage.ask("still_open", keys=held)["keys"]
    return bool(hit)


DRILL = Drill("worker-kill", "kills workers and children around the effects of their tasks", play, play_on_cluster)
