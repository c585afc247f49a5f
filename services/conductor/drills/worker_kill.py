"""Workers and their children are killed before, during and after the effects of their tasks; no deploy is as rude as an empty memory."""

from collections import Counter

from conductor import aim, outside_faults
from conductor.drills import Drill
from conductor.evidence import LedgerTail
from conductor.stage import Stage

POOLS = {"payments": "payments", "fulfilment": "carrier", "notifications": "mail", "saga": None}
"""Pools whose tasks are killed, and the server that each calls."""


def play(stage: Stage) -> None:
    """Kill tasks by their moment, each time with orders open, and in the end what only passes orders on."""
    ledgers = LedgerTail(stage.runtime.addresses())
    with stage.orders():
        stage.story.phase(f"{stage.size.kills} kills")
        for number, (pool, which, moment) in enumerate(aim.schedule(stage, tuple(POOLS), stage.size.kills), 1):
            stage.await_open()
            with outside_faults.holding(stage.runtime, POOLS[pool], moment, seed=number):
                kill = aim.aimed_kill(stage, ledgers, pool, which, moment)
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


DRILL = Drill("worker-kill", "kills workers and children around the effects of their tasks", play)
