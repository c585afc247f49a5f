"""The broker loses every queue and message under load: PostgreSQL knows what is open, so orders are late and none is lost."""

from conductor.drills import Drill
from conductor.stage import Stage

WIPES = 2


def play(stage: Stage) -> None:
    """Wipe it when enough orders are open, and go on only when orders are worked off again."""
    with stage.orders():
        for _ in range(WIPES if stage.size.large else 1):
            open_orders = stage.await_open()
            stage.story.tell(f"[red]{stage.runtime.broker} loses everything[/red], {open_orders} orders are open")
            stage.runtime.wipe_broker()
            stage.story.tell("it answers again, empty")
            stage.await_progress()


DRILL = Drill("broker-wipe", "loses every queue and message under load", play, orders=1000)
