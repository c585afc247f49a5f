"""An aggregator stands still with batches in its hands: its heartbeat grows stale, it is killed, and the batches come again."""

import signal

from conductor.capstones.analytics.targets import AGGREGATE
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession

RECOVERY_SECONDS = 180.0
"""Longest that it may stand still: a stale heartbeat, three probes, and a start."""

ROUNDS, SMALL_ROUNDS = 3, 1


def play(session: LaptopSession) -> None:
    """Stop it when requests wait to be counted, and go on when another process counts."""
    pool = AGGREGATE.pool
    with session.load():
        for _ in range(ROUNDS if session.size.large else SMALL_ROUNDS):
            in_flight = session.await_loaded()
            before = {tree.pid for tree in session.runtime.trees(pool)}
            session.kill(pool, "tree", signal.SIGSTOP)
            session.reporter.tell(f"[red]stopped an aggregator[/red], {in_flight} requests in flight")

            def replaced(before: set[int] = before) -> bool:
                return bool({tree.pid for tree in session.runtime.trees(pool)} - before)

            session.wait_for(replaced, "the aggregator to be replaced", RECOVERY_SECONDS)
            session.reporter.tell("it was killed and started again")
            session.await_progress()


DRILL = Drill("consumer-stall", "stops an aggregator that holds batches", on_laptop=play, requests=500)
