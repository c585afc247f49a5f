"""Workers and edge are killed in turn under one load, around a crash of the broker: every counter is right all the same."""

from conductor.capabilities import MOMENTS
from conductor.capstones.analytics.drills.edge_kill import REPEATED, kill_edge
from conductor.capstones.analytics.targets import AGGREGATE
from conductor.capstones.analytics.workload import AnalyticsWorkload
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession


def play(session: LaptopSession) -> None:
    """Kill an aggregator around its flush, then the edge; half-way the broker crashes."""
    rounds = max(2, session.size.kills // 2)
    with session.load() as workload:
        assert isinstance(workload, AnalyticsWorkload), "the load of this capstone"
        for number in range(1, rounds + 1):
            moment = MOMENTS[::2][number % 2]
            kill = session.aimed_kill(AGGREGATE, "tree", moment)
            kill_edge(session, workload)
            session.reporter.tell(
                f"{number:3}. killed an aggregator [red]{kill.moment}[/red] its flush, and the edge; "
                f"{workload.repeats} requests had to be sent again by now"
            )
            if number == rounds // 2:
                session.restart_server(session.runtime.broker, hard=True)
        session.await_progress()
        workload.repeat(REPEATED)


DRILL = Drill("combined-faults", "kills workers and edge in turn, and crashes the broker", on_laptop=play)
