"""Finds and signals the children that a process of the engine pool owns: `trading-engine`, `trading-gateway`, `trading-keeper`."""

import contextlib
import os
import signal
import time

import psutil

from conductor.capstones.trading import ENGINE
from conductor.capstones.trading.workload import TradingWorkload
from conductor.errors import DrillFailed
from conductor.harness.laptop_session import LaptopSession
from conductor.history import Kill, now
from conductor.waiting import until

SEEN_SECONDS, ENDED_SECONDS = 30.0, 10.0


def children(session: LaptopSession) -> dict[str, int]:
    """Process ids by name."""
    found: dict[str, int] = {}
    for tree in session.runtime.trees(ENGINE):
        for pid in tree.children:
            with contextlib.suppress(psutil.Error):
                found[psutil.Process(pid).name()] = pid
    return found


def child(session: LaptopSession, name: str) -> int:
    """The process id of a child that runs."""
    found: list[int] = []

    def there() -> bool:
        found[:] = [pid for one, pid in children(session).items() if one == name]
        return bool(found)

    if not until(there, within_seconds=SEEN_SECONDS):
        raise DrillFailed(f"there is no {name}: {children(session)}")
    return found[0]


def hit(session: LaptopSession, name: str, number: signal.Signals) -> float:
    """Signal a child under load, and wait until orders are taken again. Returns how many seconds none was."""
    workload = session.workload
    assert isinstance(workload, TradingWorkload)
    with workload.hurried():
        in_flight = session.await_loaded()
        pid = child(session, name)
        at, since = now(), time.monotonic()
        os.kill(pid, number)
        session.record(Kill(at, ENGINE, "child", (pid,), open_orders=in_flight))
        away = workload.away_seconds(since)
    session.expect(
        until(lambda: not psutil.pid_exists(pid), within_seconds=ENDED_SECONDS),
        f"{name} {pid} was left beside a new one",
    )
    return away
