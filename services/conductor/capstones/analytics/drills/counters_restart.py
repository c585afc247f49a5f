"""The store of the counters is killed in a burst: what it had answered is there again, and what it had not comes again."""

from conductor.capstones.analytics import COUNTERS
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession

ROUNDS, SMALL_ROUNDS = 10, 2


def play(session: LaptopSession) -> None:
    """Kill it whenever requests wait to be counted, and go on only when new ones are counted again."""
    with session.load():
        for _ in range(ROUNDS if session.size.large else SMALL_ROUNDS):
            in_flight = session.await_loaded()
            session.reporter.tell(f"{in_flight} requests wait to be counted")
            session.restart_server(COUNTERS, hard=True)
            session.await_progress()


DRILL = Drill("counters-restart", "kills the store of the counters in a burst", on_laptop=play, requests=1000)
