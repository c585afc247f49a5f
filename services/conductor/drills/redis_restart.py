"""Valkey restarts, crashes and forgets what the services share: a shortcut is gone, no truth is."""

from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage
from conductor.redis_client import connected


def play(stage: Stage) -> None:
    """Strike it when enough orders are open, and go on only when orders are worked off again."""
    with stage.orders():
        for hard in (False, True):
            stage.await_open()
            stage.restart_server("valkey", hard=hard)
            stage.await_progress()
        stage.await_open()
        with connected(stage.runtime.addresses()["store"], answer_seconds=5) as store:
            store.flushdb()
        stage.story.tell("[red]the shared store is emptied[/red]")
        stage.await_progress()


DRILL = Drill("redis-restart", "restarts, crashes and empties the shared store", play, orders=1000)
