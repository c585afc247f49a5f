"""The journal's volume is full: new orders are refused with the reason, what was acknowledged is known, and nothing of it is lost.

The volume is a small file system of its own, and what fills it is a file, so every write of the service gets ENOSPC of the kernel.
"""

import signal
import time
from functools import partial

from conductor.capstones.trading import ENGINE, promises
from conductor.capstones.trading.api_client import TradingApi
from conductor.capstones.trading.engine_faults import engine_of
from conductor.capstones.trading.workload import ACCEPTED, far_order
from conductor.errors import ApiRefused
from conductor.harness.drill import Drill
from conductor.harness.load import insist
from conductor.harness.session import Session
from conductor.laptop.volume import missing_right
from conductor.runtime import SmallVolume

FREE_MEBIBYTES = 64
ROUNDS = 2
FULL = "JOURNAL_FULL"
SEGMENT_BYTES = 1 << 20
"""Small, so that a short load comes to the end of the segments that are made ahead."""
MOST_ORDERS = 2 * SEGMENT_BYTES // (2 * 64)
"""For which there is room at most, in the segment and in the one made ahead: a record has two slots of 64 bytes at least."""


def play(session: Session) -> None:
    """Fill the volume, look at what is refused and what is known, kill the engine meanwhile, and make room again."""
    freed = []
    with session.load(), session.small_volume(ENGINE, FREE_MEBIBYTES) as volume:
        for number in range(1, (ROUNDS if session.size.large else 1) + 1):
            session.await_progress()
            freed.append(_fill(session, volume, number))
    with session.history() as path:
        acknowledged = sorted(one.at for one in promises.read([path]).acknowledged.values())
    for number, since in enumerate(freed, start=1):
        first = next(at for at in acknowledged if at > since)
        session.reporter.tell(f"{number:3}. room again: the first order was taken after {first - since:.2f} s")


def _fill(session: Session, volume: SmallVolume, number: int) -> float:
    """Returns since when there is room again."""
    known = int(session.submit(f"before {number}"))
    session.reporter.tell(f"{number:3}. the volume is full: {volume.fill() >> 20} MiB of it were free")
    before = session.counted()
    try:
        with session.steered("hurried"):
            session.wait_for(
                lambda: _refused(session, before[FULL]) or session.counted()[ACCEPTED] > before[ACCEPTED] + MOST_ORDERS,
                f"an order to be refused as {FULL}",
            )
        counted = session.counted()
        session.expect(
            counted[FULL] > before[FULL],
            f"{counted[ACCEPTED] - before[ACCEPTED]} orders were taken, and the journal had room for {MOST_ORDERS} at most",
        )
        _look(session, known)
        pid = session.signal_child(ENGINE, "trading-engine", signal.SIGKILL)
        session.wait_for(lambda: engine_of(session.children(ENGINE)) not in (None, pid), "another engine")
        refusals = session.counted()[FULL]
        session.wait_for(partial(_refused, session, refusals), f"the next engine to refuse as {FULL}")
        _look(session, known)
        taken = session.counted()[ACCEPTED] - counted[ACCEPTED]
        session.expect(taken == 0, f"{taken} orders were taken meanwhile")
    finally:
        since = session.now()
        volume.free()
    taken = session.counted()[ACCEPTED]
    session.wait_for(lambda: session.counted()[ACCEPTED] > taken, "an order to be taken")
    return since


def _refused(session: Session, before: int) -> bool:
    return session.counted()[FULL] > before


def _look(session: Session, known: int) -> None:
    """A new order is refused by its reason, and one that was acknowledged before is known."""
    with TradingApi.of(session.reach) as api:
        try:
            told = api.place(far_order(time.time_ns() // 1000))
            session.expect(False, f"an order was taken that no journal has room for: {told}")
        except ApiRefused as error:
            session.expect(FULL in str(error), f"an order was refused with another reason: {error}")
        told = insist(partial(api.status, known))
    session.expect(
        told["state"] == "open", f"order {known} was acknowledged and rests, and is told to be {told['state']}"
    )


DRILL = Drill(
    "disk-full",
    "fills the journal's volume under load",
    play,
    requests=10_000,
    lacks_here=missing_right,
    settings={"JOURNAL_SEGMENT_BYTES": str(SEGMENT_BYTES)},
)
