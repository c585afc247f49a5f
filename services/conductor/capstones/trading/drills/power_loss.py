"""The machine of the engine pool loses its power: what was acknowledged at level `disk` is there again, and what was not synced is gone.

The journal lies on a file system of its own. All processes end by SIGKILL, and the file system goes on from what had reached its device
at that moment, so neither the service nor the kernel can bring back what no fdatasync covered.
"""

import json

from conductor.capstones.trading import ENGINE, journal_reader
from conductor.capstones.trading.evidence import folder_of
from conductor.capstones.trading.journal_reader import Journaled
from conductor.capstones.trading.promises import key
from conductor.capstones.trading.workload import TradingWorkload
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession
from conductor.history import Kill, now
from conductor.laptop.volume import missing_right
from conductor.runtime import Change, Volume

FREE_MEBIBYTES = 64
ORDERS_A_LOSS = 2000
LEVEL = Change(settings={"ACKNOWLEDGEMENT_LEVEL": "disk"})
NAMED = 3


def play(session: LaptopSession) -> None:
    """Take the power when every order is answered and published, and then in bursts of orders."""
    with session.load() as workload, session.runtime.own_volume(ENGINE, FREE_MEBIBYTES, LEVEL) as volume:
        assert isinstance(workload, TradingWorkload)
        left = Journaled()

        def lose_power() -> None:
            nonlocal left
            left = _lose_power(session, volume)

        session.await_progress()
        with workload.alone():
            session.wait_for(lambda: _published(session) == _read(session).inputs, "the journal to be published")
            lose_power()
        session.await_progress()
        _tell(session, left, "with every order answered and published")
        for number in range(1, max(1, session.size.requests // ORDERS_A_LOSS) + 1):
            session.await_progress()
            away = session.away_after(lose_power)
            _tell(session, left, f"{number:3}. in a burst, no order was taken for {away:.2f} s")


def _lose_power(session: LaptopSession, volume: Volume) -> Journaled:
    """Take it. Returns the journal as the kernel would have had it."""
    left = list[Journaled]()
    session.record(Kill(now(), ENGINE, "tree", (), open_orders=session.progress.in_flight()))
    volume.lose_power(lambda: left.append(_read(session)))
    return left[0]


def _tell(session: LaptopSession, left: Journaled, when: str) -> None:
    """What is gone. An engine goes on with the journal since then."""
    kept, engines = _read(session), len(left.holders)
    session.expect(
        kept.holders[:engines] == left.holders and len(kept.holders) > engines,
        f"engines {left.holders} had the journal, and {kept.holders} it says now: what one wrote and synced at its start is gone",
    )
    # The first input of the engine that came next.
    begin = kept.begins[engines]
    gone = [key(*name) for name, order_id in left.order_ids.items() if order_id >= begin]
    named = f": {', '.join(gone[:NAMED])}{', …' if len(gone) > NAMED else ''}" if gone else ""
    session.reporter.tell(
        f"{when}: of {left.inputs} inputs the last {left.inputs - begin + 1} were not on the disk, and are gone with"
        f" {len(gone)} orders{named}"
    )


def _read(session: LaptopSession) -> Journaled:
    return journal_reader.read(folder_of(session.access) / "journal")


def _published(session: LaptopSession) -> int:
    """0 where the file was not written again since the power was lost: nobody syncs it."""
    try:
        return int(json.loads((folder_of(session.access) / "published").read_text())["sequence"])
    except (OSError, ValueError):
        return 0


DRILL = Drill(
    "power-loss",
    "cuts the journal back to the last sync, at level disk",
    on_laptop=play,
    requests=10_000,
    lacks_here=missing_right,
    settings={"JOURNAL_SEGMENT_BYTES": str(1 << 20)},
)
