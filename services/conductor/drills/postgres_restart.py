"""The database restarts and crashes under load: nothing can be promised meanwhile, and nothing that was promised is forgotten."""

from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession


def play(session: LaptopSession) -> None:
    """Restart it when enough requests are in flight, and go on only when new ones are completed again."""
    with session.load() as workload:
        for hard in (False, True):
            session.await_loaded()
            session.restart_server("postgres", hard=hard)
            session.await_progress()
        session.reporter.tell(f"clients had to ask again {workload.repeats} times")


DRILL = Drill("postgres-restart", "restarts and crashes the database under load", on_laptop=play, requests=1000)
