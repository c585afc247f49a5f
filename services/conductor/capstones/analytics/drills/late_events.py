"""Events of yesterday and of a wrong clock come between the others: they are counted apart by their kind, and in no other counter."""

from dataclasses import replace

from conductor.capstones.analytics.drills.edge_kill import kill_edge
from conductor.capstones.analytics.workload import AnalyticsWorkload
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession

SHARE = 0.1


def play(session: LaptopSession) -> None:
    """Send them under load; the edge, which decides what is late, dies once meanwhile."""
    with session.load() as workload:
        assert isinstance(workload, AnalyticsWorkload), "the load of this capstone"
        workload.shape = replace(workload.shape, late=SHARE, future=SHARE)
        session.reporter.tell(f"{SHARE:.0%} of the events are late, and as many of the future")
        session.await_progress()
        kill_edge(session, workload)
        session.await_progress()
    session.settle()
    states = session.progress.by_state() or {}
    session.expect(
        min(states.get("late", 0), states.get("future", 0)) > 0,
        f"no event was counted as late, or of the future: {states}",
    )
    session.reporter.tell(
        f"{states.get('late'):,} late events and {states.get('future'):,} of the future were counted apart"
    )


DRILL = Drill("late-events", "sends events that are late or of the future", on_laptop=play, requests=500)
