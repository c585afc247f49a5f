"""The database restarts and crashes under load: nothing can be promised meanwhile, and nothing that was promised is forgotten."""

from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage


def play(stage: Stage) -> None:
    """Strike it when enough orders are open, and go on only when orders are worked off again."""
    with stage.orders() as load:
        for hard in (False, True):
            stage.await_open()
            stage.restart_server("postgres", hard=hard)
            stage.await_progress()
        stage.story.tell(f"clients had to ask again {load.repeats} times")


DRILL = Drill("postgres-restart", "restarts and crashes the database under load", play, orders=1000)
