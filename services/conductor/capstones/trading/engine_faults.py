"""Signals a child that the engine pool's process owns: `trading-engine`, `trading-gateway`, `trading-keeper`."""

import signal
from collections.abc import Mapping

from conductor.capstones.trading import ENGINE
from conductor.errors import DrillFailed
from conductor.harness.session import Session

SEEN_SECONDS, ENDED_SECONDS = 30.0, 10.0


def engine_of(children: Mapping[int, str]) -> int | None:
    """The engine's process among the names of its owner's children; None while there is none."""
    return next((pid for pid, name in children.items() if name == "trading-engine"), None)


def hit(session: Session, name: str, number: signal.Signals) -> float:
    """Signal a child under load, and wait until orders are taken again. Returns for how many seconds none was."""
    hit: list[int] = []
    session.wait_for(lambda: name in session.children(ENGINE).values(), f"a {name} to run", SEEN_SECONDS)
    away = session.away_after(lambda: hit.append(session.signal_child(ENGINE, name, number)))
    try:
        session.wait_for(lambda: hit[0] not in session.children(ENGINE), f"{name} {hit[0]} to end", ENDED_SECONDS)
    except DrillFailed as error:
        raise DrillFailed(f"{name} {hit[0]} was left beside a new one") from error
    return away
