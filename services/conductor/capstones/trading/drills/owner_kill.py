"""SIGKILL of the worker that owns engine and gateway: both end with it, and the next worker goes on where the journal ends."""

from functools import partial

from conductor.capstones.trading import ENGINE
from conductor.harness.drill import Drill
from conductor.harness.session import Session

ORDERS_A_KILL = 2000


def play(session: Session) -> None:
    """Kill one worker after the other, each time its first process only."""
    with session.load():
        for number in range(1, max(1, session.size.requests // ORDERS_A_KILL) + 1):
            away = session.away_after(partial(session.kill_parent, ENGINE))
            session.reporter.tell(f"{number:3}. killed the owner: no order was taken for {away:.2f} s")
            session.await_progress()


DRILL = Drill("owner-kill", "kills the worker that owns engine and gateway", play, requests=10_000)
