"""The store of the counters stands still, as one whose disk hangs: aggregators wait, batches pile up in the broker, none is lost."""

from conductor.capstones.analytics import COUNTERS
from conductor.capstones.analytics.stalls import stall
from conductor.capstones.analytics.workload import AnalyticsWorkload
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession

STOPPED_SECONDS, SMALL_STOPPED_SECONDS = 120.0, 8.0


def play(session: LaptopSession) -> None:
    """Stop it for two minutes under load."""
    seconds = STOPPED_SECONDS if session.size.large else SMALL_STOPPED_SECONDS
    with session.load() as workload:
        assert isinstance(workload, AnalyticsWorkload), "the load of this capstone"
        session.await_progress()
        session.reporter.tell(f"[red]{COUNTERS} stands still for {seconds:.0f} s[/red]")
        stall(session, workload, session.runtime.stopped_server(COUNTERS), seconds=seconds)
        session.reporter.tell(f"{COUNTERS} goes on")
        session.await_progress()


DRILL = Drill("counters-stopped", "stops the store of the counters for two minutes", on_laptop=play, requests=500)
