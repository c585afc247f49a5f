"""SIGKILL of the worker that owns engine and gateway: both end with it, and the next worker goes on where the journal ends."""

from functools import partial

from conductor.capstones.trading import ENGINE
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession
from conductor.laptop import signalling

ORDERS_A_KILL = 2000
ENDED_SECONDS = 10.0


def play(session: LaptopSession) -> None:
    """Kill one worker after the other, each time its first process only."""
    with session.load():
        for number in range(1, max(1, session.size.requests // ORDERS_A_KILL) + 1):
            away = session.away_after(partial(_kill_owner, session))
            session.reporter.tell(f"{number:3}. killed the owner: no order was taken for {away:.2f} s")
            session.await_progress()


def _kill_owner(session: LaptopSession) -> None:
    before = set(session.children(ENGINE))
    session.kill(ENGINE, "parent")
    session.wait_for(lambda: all(map(signalling.dead, before)), "the children to end with their owner", ENDED_SECONDS)


DRILL = Drill("owner-kill", "kills the worker that owns engine and gateway", on_laptop=play, requests=10_000)
