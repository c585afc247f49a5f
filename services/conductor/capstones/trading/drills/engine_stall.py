"""An engine that stands still (SIGSTOP) is seen, ended and replaced; two engines never hold one journal."""

import signal

from conductor.capstones.trading.engine_faults import hit
from conductor.harness.drill import Drill
from conductor.harness.session import Session

ORDERS_A_STALL = 2000


def play(session: Session) -> None:
    """Stop one engine after the other. The judge counts the epochs of the journal, of which no two may overlap."""
    with session.load():
        for number in range(1, max(1, session.size.requests // ORDERS_A_STALL) + 1):
            away = hit(session, "trading-engine", signal.SIGSTOP)
            session.reporter.tell(f"{number:3}. stopped the engine: no order was taken for {away:.2f} s")
            session.await_progress()


DRILL = Drill("engine-stall", "stops the engine with SIGSTOP under load", play, requests=10_000)
