"""Kills a process in the middle of what it runs, and knows in the middle of what: stop it, look, and only then kill it or let it go on.

While the victim is stopped nothing about it changes, so what the look finds is what the kill hits: the commands it holds, by their keys,
and which of their effects have happened already. None of them is `before`, all of them `after`, some `during`.
"""

import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from conductor.capabilities import MOMENTS, Moment, Target
from conductor.capstone import Effects
from conductor.errors import DrillFailed
from conductor.harness.outbox_state import Held
from conductor.history import Kill, now
from conductor.runtime import Which

if TYPE_CHECKING:
    from conductor.harness.laptop_session import LaptopSession


MOMENT_SECONDS = 8.0
"""How long a kill waits for its moment; then any task under way will do."""

BUSY_SECONDS = 60.0
"""How long a kill waits for a task at all: a restart of the pool on a busy machine, and a lease."""


def aimed_kill(session: "LaptopSession", effects: Effects, pool: str, which: Which, moment: Moment) -> Kill:
    """Kill a process of the pool (`tree` or `child`) that is running a task, at that moment if one comes soon.

    No command is hit twice: one that kills its workers again and again is parked. DrillFailed when no other task of the pool runs although
    requests are in flight.
    """
    began = time.monotonic()
    hit = {key for kill in session.kills for key in kill.commands}

    def good(held: Sequence[Held]) -> str | None:
        keys = [one.key for one in held]
        if not hit.isdisjoint(keys):
            return None
        found = effects.moment(keys)
        return found if found == moment or time.monotonic() - began > MOMENT_SECONDS else None

    return kill_when(session, pool, which, good)


def kill_when(session: "LaptopSession", pool: str, which: Which, good: Callable[[Sequence[Held]], str | None]) -> Kill:
    """Kill a process of the pool when what it runs is `good` (the answer is the kill's moment) and enough requests are in flight."""
    runtime = session.runtime
    began = time.monotonic()
    while time.monotonic() - began < min(BUSY_SECONDS, session.left_seconds):
        index = session.rng.randrange(1000)
        pids = runtime.kill(pool, which, signal.SIGSTOP, index)
        held = session.outbox.held_by(runtime.ports(pids), runtime.pools()[pool].queues) if pids else ()
        moment = good(held) if held else None
        in_flight = session.progress.in_flight() or 0
        if moment is not None and in_flight >= session.size.in_flight:
            at = now()
            if set(runtime.kill(pool, which, signal.SIGKILL, index)) >= set(pids):
                kill = Kill(at, pool, which, tuple(pids), moment, tuple(one.key for one in held), in_flight)
                session.record(kill)
                return kill
        runtime.kill(pool, which, signal.SIGCONT, index)
        # Other tasks, other moments: a pause of no fixed length.
        time.sleep(session.rng.uniform(0.005, 0.05))
    raise DrillFailed(f"no kill could hit a running task: {pool} ran none for {BUSY_SECONDS:.0f} s")


def schedule(targets: Sequence[Target], count: int, seed: int) -> Iterator[tuple[Target, Which, Moment]]:
    """Whom to kill and when: every target and both kinds in turn, the moments shuffled but equally many."""
    moments = [MOMENTS[number % len(MOMENTS)] for number in range(count)]
    random.Random(seed).shuffle(moments)
    for number, moment in enumerate(moments):
        target = targets[number % len(targets)]
        # A worker of batches has no children.
        which: Which = "child" if number // len(targets) % 2 and target.flush is None else "tree"
        yield target, which, moment
