"""The API is killed while it collects and publishes: its clients send their requests again, and each part counts once."""

from conductor.capstones.analytics.workload import AnalyticsWorkload
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession

API = "api"
ANSWERED = 10
"""Requests after a kill: more than there are clients, each of which may have had an answer that it had not noted."""

REPEATED = 50
"""Requests that are sent again at the end although they were answered: an answer may be lost at any time."""


def kill_edge(session: LaptopSession, workload: AnalyticsWorkload) -> None:
    """Kill it while it holds requests, and return when clients were answered again."""
    session.await_loaded()
    session.kill(API)
    goal = workload.accepted + ANSWERED
    session.wait_for(lambda: workload.accepted >= goal, f"{ANSWERED} accepted requests")


def play(session: LaptopSession) -> None:
    """Kill it again and again under load."""
    with session.load() as workload:
        assert isinstance(workload, AnalyticsWorkload), "the load of this capstone"
        for number in range(1, session.size.kills + 1):
            kill_edge(session, workload)
            session.reporter.tell(
                f"{number:3}. killed the {API}; {workload.repeats} requests had to be sent again by now"
            )
        session.await_progress()
        workload.repeat(REPEATED)
        session.reporter.tell(f"{REPEATED} requests were sent once more although they had been answered")


DRILL = Drill("edge-kill", "kills the API while it collects and publishes", on_laptop=play)
