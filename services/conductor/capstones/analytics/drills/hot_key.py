"""Nine events of ten are of one content: its counters grow by the thousand in each flush, and nothing else waits for them."""

from dataclasses import replace

from conductor.capabilities import MOMENTS
from conductor.capstones.analytics.targets import AGGREGATE
from conductor.capstones.analytics.workload import AnalyticsWorkload
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession

HOT = 0.9
ROUNDS, SMALL_ROUNDS = 4, 1


def play(session: LaptopSession) -> None:
    """Send a hot content under load, and kill aggregators that hold its batches."""
    with session.load() as workload:
        assert isinstance(workload, AnalyticsWorkload), "the load of this capstone"
        workload.shape = replace(workload.shape, hot=HOT)
        session.reporter.tell(f"{HOT:.0%} of the events are of one content")
        session.await_progress()
        for number in range(ROUNDS if session.size.large else SMALL_ROUNDS):
            kill = session.aimed_kill(AGGREGATE, "tree", MOMENTS[::2][number % 2])
            session.reporter.tell(f"killed an aggregator [red]{kill.moment}[/red] its flush")
            session.await_progress()


DRILL = Drill("hot-key", "sends nine events of ten to one content", on_laptop=play, requests=1000)
