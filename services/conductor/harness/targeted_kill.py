"""Kills a process in the middle of what it runs, and knows in the middle of what: stop it, look, and only then kill it or let it go on.

While the victim is stopped nothing about it changes, so what the look finds is what the kill hits: the commands it holds, by their keys,
and which of their effects the outside world's ledgers already have. None of them is `before`, all of them `after`, some `during`.
"""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from conductor.capstones.orders.evidence import Entry, LedgerTail
from conductor.errors import DrillFailed
from conductor.harness.laptop_session import Stage
from conductor.harness.outbox_state import Held
from conductor.history import Kill, now
from conductor.runtime import Which

Moment = Literal["before", "during", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "during", "after")

CHOOSY_SECONDS = 8.0
"""How long a kill waits for its moment; then any task under way will do."""

BUSY_SECONDS = 60.0
"""How long a kill waits for a task at all: a restart of the pool on a busy machine, and a lease."""

_EFFECTS = {
    "take_payment": ("payments", ("capture", "decline")),
    "refund_payment": ("payments", ("refund", "void")),
    "buy_label": ("carrier", ("shipment",)),
    "hand_over": ("carrier", ("handover",)),
    "void_label": ("carrier", ("void",)),
    "mail": ("mail", ("mail",)),
}


def aimed_kill(stage: Stage, ledgers: LedgerTail, pool: str, which: Which, moment: Moment) -> Kill:
    """Kill a process of the pool (`tree` or `child`) that is running a task, at that moment if one comes soon.

    DrillFailed when no task of the pool runs although orders are open.
    """
    began = time.monotonic()

    def good(held: Sequence[Held]) -> str | None:
        found = _moment(ledgers, held)
        return found if found == moment or time.monotonic() - began > CHOOSY_SECONDS else None

    return kill_when(stage, pool, which, good)


def kill_when(stage: Stage, pool: str, which: Which, good: Callable[[Sequence[Held]], str | None]) -> Kill:
    """Kill a process of the pool when what it runs is `good` (the answer is the kill's moment) and enough orders are open."""
    began = time.monotonic()
    while time.monotonic() - began < min(BUSY_SECONDS, stage.left_seconds):
        index = stage.rng.randrange(1000)
        pids = stage.runtime.kill(pool, which, signal.SIGSTOP, index)
        held = stage.facts.held_by(stage.runtime.ports(pids), stage.runtime.pools()[pool].queues) if pids else ()
        moment = good(held) if held else None
        open_orders = stage.facts.open_orders(stage.load.prefix) or 0
        if moment is not None and open_orders >= stage.size.open_orders:
            at = now()
            if set(stage.runtime.kill(pool, which, signal.SIGKILL, index)) >= set(pids):
                kill = Kill(at, pool, which, tuple(pids), moment, tuple(one.key for one in held), open_orders)
                stage.record(kill)
                return kill
        stage.runtime.kill(pool, which, signal.SIGCONT, index)
        # Other tasks, other moments: a pause of no fixed length.
        time.sleep(stage.rng.uniform(0.005, 0.05))
    raise DrillFailed(f"no kill could hit a running task: {pool} ran none for {BUSY_SECONDS:.0f} s")


def _moment(ledgers: LedgerTail, held: Sequence[Held]) -> Moment:
    """By the ledgers; a step whose effect is in our own database commits with its record, so it is always under way."""
    expected = [(key.order, *_EFFECTS[key.step]) for key in map(_key, held) if key.step in _EFFECTS]
    if not expected:
        return "during"
    ledgers.read(*{server for _, server, _ in expected})
    done = sum(any(_is(entry, order, kinds) for entry in ledgers.entries[server]) for order, server, kinds in expected)
    return "before" if not done else "after" if done == len(expected) else "during"


@dataclass(frozen=True, slots=True)
class _Key:
    order: str
    step: str


def _key(held: Held) -> _Key:
    order, step, *_ = held.key.split("/")
    return _Key(order, step)


def _is(entry: Entry, order: str, kinds: Sequence[str]) -> bool:
    return entry["order_id"] == order and entry["kind"] in kinds


def schedule(stage: Stage, pools: Sequence[str], count: int) -> Iterator[tuple[str, Which, Moment]]:
    """Whom to kill and when: every pool and both kinds in turn, the moments shuffled but equally many."""
    moments = [MOMENTS[number % len(MOMENTS)] for number in range(count)]
    stage.rng.shuffle(moments)
    for number, moment in enumerate(moments):
        which: Which = "child" if number // len(pools) % 2 else "tree"
        yield pools[number % len(pools)], which, moment
