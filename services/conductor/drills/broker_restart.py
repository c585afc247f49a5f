"""The broker restarts in order and crashes, under load: what it lost comes due again, and every worker reconnects by itself."""

from conductor.harness.drill import Drill
from conductor.harness.session import Session


def play(session: Session) -> None:
    """Restart it when enough requests are in flight, and go on only when new ones are completed again."""
    with session.load():
        for hard in (False, True):
            in_flight = session.await_loaded()
            session.reporter.tell(f"{in_flight} requests are in flight")
            session.restart_server(session.runtime.broker, hard=hard)
            session.await_progress()


DRILL = Drill("broker-restart", "restarts and crashes the broker under load", play, requests=1000)
