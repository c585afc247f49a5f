"""The journal's volume is full: new orders are refused with the reason, what was acknowledged is known, and nothing of it is lost.

The volume is a file system of its own, and what fills it is a file, so every write of the service gets ENOSPC of the kernel.
"""

import signal
import time
from functools import partial

from conductor.capstones.trading import ENGINE
from conductor.capstones.trading.api_client import TradingApi
from conductor.capstones.trading.engine_faults import engine_of
from conductor.capstones.trading.workload import TradingWorkload, far_order
from conductor.errors import ApiRefused
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession
from conductor.harness.load import insist
from conductor.laptop.volume import missing_right
from conductor.runtime import Volume

FREE_MEBIBYTES = 64
ROUNDS = 2
FULL = "JOURNAL_FULL"
SEGMENT_BYTES = 1 << 20
"""Small, so that a short load comes to the end of the segments that are made ahead."""
MOST_ORDERS = 2 * SEGMENT_BYTES // (2 * 64)
"""For which there is room at most, in the segment and in the one made ahead: a record has two slots of 64 bytes at least."""


def play(session: LaptopSession) -> None:
    """Fill the volume, look at what is refused and what is known, kill the engine meanwhile, and make room again."""
    with session.load() as workload, session.runtime.own_volume(ENGINE, FREE_MEBIBYTES) as volume:
        assert isinstance(workload, TradingWorkload)
        for number in range(1, (ROUNDS if session.size.large else 1) + 1):
            session.await_progress()
            _fill(session, workload, volume, number)


def _fill(session: LaptopSession, workload: TradingWorkload, volume: Volume, number: int) -> None:
    known = workload.submit(f"before {number}")
    session.reporter.tell(f"{number:3}. the volume is full: {volume.fill() >> 20} MiB of it were free")
    taken = workload.accepted
    try:
        with workload.hurried():
            refusals = workload.refusing(FULL)
            session.wait_for(
                lambda: _refused(workload, refusals) or workload.accepted > taken + MOST_ORDERS,
                f"an order to be refused as {FULL}",
            )
        session.expect(
            _refused(workload, refusals),
            f"{workload.accepted - taken} orders were taken, and the journal had room for {MOST_ORDERS} at most",
        )
        accepted = workload.accepted
        _look(session, int(known))
        pid = session.signal_child(ENGINE, "trading-engine", signal.SIGKILL)
        session.wait_for(lambda: engine_of(session.children(ENGINE)) not in (None, pid), "another engine")
        session.wait_for(partial(_refused, workload, workload.refusing(FULL)), f"the next engine to refuse as {FULL}")
        _look(session, int(known))
        session.expect(workload.accepted == accepted, f"{workload.accepted - accepted} orders were taken meanwhile")
    finally:
        since = time.monotonic()
        volume.free()
    answered = workload.trader.answered_at
    session.wait_for(lambda: answered[-1] > since, "an order to be taken")
    first = next(at for at in answered if at > since)
    session.reporter.tell(f"     room again: the first order was taken after {first - since:.2f} s")


def _refused(workload: TradingWorkload, before: int) -> bool:
    return workload.refusing(FULL) > before


def _look(session: LaptopSession, known: int) -> None:
    """A new order is refused by its reason, and one that was acknowledged before is known."""
    with TradingApi.of(session.access) as api:
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
    on_laptop=play,
    requests=10_000,
    bars=lambda capstone: missing_right(),
    settings={"JOURNAL_SEGMENT_BYTES": str(SEGMENT_BYTES)},
)
