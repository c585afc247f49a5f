"""SIGKILLs of the engine, and of the gateway, in bursts of orders: nothing acknowledged is lost, nothing executes twice."""

import signal

from conductor.capstones.trading.engine_faults import hit
from conductor.harness.drill import Drill
from conductor.harness.session import Session

ORDERS_A_KILL = 1000
LEAST_KILLS = 3
GATEWAY_EVERY = 5
"""Every fifth kill hits the gateway."""


def play(session: Session) -> None:
    """Kill one child after the other, each time when orders are under way."""
    kills = max(LEAST_KILLS, session.size.requests // ORDERS_A_KILL)
    away = []
    with session.load():
        session.reporter.phase(f"{kills} kills")
        for number in range(1, kills + 1):
            name = "trading-engine" if number % GATEWAY_EVERY else "trading-gateway"
            away.append(hit(session, name, signal.SIGKILL))
            session.reporter.tell(f"{number:3}. killed {name}: no order was taken for {away[-1]:.2f} s")
            session.await_progress()
    session.reporter.tell(f"away: median {sorted(away)[len(away) // 2]:.2f} s, at most {max(away):.2f} s")


DRILL = Drill("engine-kill", "kills engine and gateway in bursts of orders", play, requests=20_000)
