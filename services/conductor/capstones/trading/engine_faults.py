"""Signals a child that the engine pool's process owns: `trading-engine`, `trading-gateway`, `trading-keeper`."""

import signal

from conductor.capstones.trading import ENGINE
from conductor.errors import DrillFailed
from conductor.harness.session import Session

SEEN_SECONDS, ENDED_SECONDS = 30.0, 10.0


def child(session: Session, name: str) -> int:
    """The process id of a child that runs."""
    found: list[int] = []

    def there() -> bool:
        found[:] = [pid for pid, one in session.children(ENGINE).items() if one == name]
        return bool(found)

    session.wait_for(there, f"a {name} to run", SEEN_SECONDS)
    return found[0]


def hit(session: Session, name: str, number: signal.Signals) -> float:
    """Signal a child under load, and wait until orders are taken again. Returns for how many seconds none was."""
    pid = child(session, name)
    away = session.away_after(lambda: session.signal_child(ENGINE, pid, number))
    try:
        session.wait_for(lambda: pid not in session.children(ENGINE), f"{name} {pid} to end", ENDED_SECONDS)
    except DrillFailed as error:
        raise DrillFailed(f"{name} {pid} was left beside a new one") from error
    return away
