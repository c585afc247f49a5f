"""Kills a worker of batches around the flush of what it holds: before it, or after it and before the acknowledgement.

For the second, the store is stopped until a flush lies unread in its connection; the worker is killed, and the store goes on: it carries
out the flush of a dead client, and the broker delivers the batches again. What the store had before and after says which of them it was.
"""

import contextlib
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

from conductor.capabilities import Flush, Moment
from conductor.errors import DrillFailed
from conductor.history import Kill, now
from conductor.waiting import until

if TYPE_CHECKING:
    from conductor.harness.laptop_session import LaptopSession

TRIES = 20

FLUSH_BYTES = 4096
"""More than a worker writes to its store beside a flush."""

FLUSH_SECONDS = 3.0
"""How long a flush is waited for; below the worker's patience with its store."""

CARRIED_OUT_SECONDS = 1.0
"""In which the store carries out what it was sent; a worker takes longer to start anew."""


def kill_holding(session: "LaptopSession", pool: str, flush: Flush, moment: Moment) -> Kill:
    """Kill a worker of the pool that holds batches, at that moment if it can be had. DrillFailed when none ever held any."""
    for attempt in range(TRIES):
        _await_flush(session, pool, flush)
        in_flight = session.await_loaded()
        late = moment != "before" and attempt < TRIES // 2
        kill = (_behind_flush if late else _before_flush)(session, pool, flush, in_flight)
        if kill is not None:
            session.record(kill)
            return kill
    raise DrillFailed(f"no kill could hit a worker that holds batches: {pool} held none at {TRIES} looks")


def _await_flush(session: "LaptopSession", pool: str, flush: Flush) -> None:
    """Return when a worker has flushed from now on: one that was just started holds nothing."""
    first: list[int] = []

    def grown() -> bool:
        found = flush.written(session.access)
        if found is not None:
            first.append(found)
        return bool(first) and first[-1] > first[0]

    session.wait_for(grown, f"a flush of {pool}")


def _before_flush(session: "LaptopSession", pool: str, flush: Flush, in_flight: int) -> Kill | None:
    """Stop a worker, see that something is not counted and no flush is under way, and kill it."""
    runtime = session.runtime
    index = session.rng.randrange(1000)
    pids = runtime.kill(pool, "tree", signal.SIGSTOP, index)
    held = session.progress.in_flight() or 0
    if pids and held and runtime.unread_of(flush.store, pids) < FLUSH_BYTES:
        at, before = now(), flush.written(session.access)
        if set(runtime.kill(pool, "tree", signal.SIGKILL, index)) >= set(pids):
            grown = flush.written(session.access) != before
            return Kill(at, pool, "tree", tuple(pids), "after" if grown else "before", open_orders=in_flight)
    runtime.kill(pool, "tree", signal.SIGCONT, index)
    return None


def _behind_flush(session: "LaptopSession", pool: str, flush: Flush, in_flight: int) -> Kill | None:
    """Stop the store until a worker waits for it in a flush, kill that worker, and see whether its flush was carried out."""
    runtime = session.runtime
    index = session.rng.randrange(1000)
    pids = runtime.kill(pool, "tree", signal.SIGSTOP, index)
    # Nothing is flushed meanwhile.
    before = flush.written(session.access) if pids else None
    with runtime.stopped_server(flush.store) if before is not None else contextlib.nullcontext():
        runtime.kill(pool, "tree", signal.SIGCONT, index)
        if before is None or not _sends_flush(session, flush, pids):
            return None
        at = now()
        if not set(runtime.kill(pool, "tree", signal.SIGKILL, index)) >= set(pids):
            return None
    grown = until(lambda: flush.written(session.access) not in (None, before), within_seconds=CARRIED_OUT_SECONDS)
    return Kill(at, pool, "tree", tuple(pids), "after" if grown else "before", open_orders=in_flight)


def _sends_flush(session: "LaptopSession", flush: Flush, pids: Sequence[int]) -> bool:
    """Whether a flush of these processes lies whole before the stopped store: it is more than anything else, and grows no more."""
    seen = 0

    def whole() -> bool:
        nonlocal seen
        last, seen = seen, session.runtime.unread_of(flush.store, pids)
        return seen == last >= FLUSH_BYTES

    return until(whole, within_seconds=FLUSH_SECONDS, every_seconds=0.02)
