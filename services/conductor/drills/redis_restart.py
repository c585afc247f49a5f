"""Valkey restarts, crashes and loses what the services share: a cache is gone, no record is."""

from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession
from conductor.redis_client import connected


def play(session: LaptopSession) -> None:
    """Restart it when enough requests are in flight, and go on only when new ones are completed again."""
    with session.load():
        for hard in (False, True):
            session.await_loaded()
            session.restart_server("valkey", hard=hard)
            session.await_progress()
        session.await_loaded()
        with connected(session.access.addresses()["store"], answer_seconds=5) as store:
            store.flushdb()
        session.reporter.tell("[red]the shared store is emptied[/red]")
        session.await_progress()


DRILL = Drill("redis-restart", "restarts, crashes and empties the shared store", on_laptop=play, requests=1000)
