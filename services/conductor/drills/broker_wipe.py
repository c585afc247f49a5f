"""The broker loses every queue and message under load: PostgreSQL knows what is open, so orders are late and none is lost."""

import signal

from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage

WIPES = 2
POOL = "payments"
"""Stopped before the wipe, so that there are messages to lose however fast the workers are, and killed after it: what it had fetched
already would outlive the broker."""


def play(stage: Stage) -> None:
    """Wipe it when messages wait in it, and go on only when new orders go all their way again."""
    queues = stage.runtime.pools()[POOL].queues
    with stage.orders():
        for _ in range(WIPES if stage.size.large else 1):
            stage.await_open()
            stage.runtime.kill(POOL, "tree", signal.SIGSTOP)
            try:
                stage.wait_for(lambda: (stage.facts.published(queues) or 0) > 0, f"messages for {POOL}")
                waiting = stage.facts.published(queues)
                stage.story.tell(
                    f"[red]{stage.runtime.broker} loses everything[/red], {waiting} commands of {POOL} with it"
                )
                stage.runtime.wipe_broker()
            finally:
                stage.runtime.kill(POOL, "tree", signal.SIGKILL)
            stage.story.tell("it answers again, empty")
            stage.await_progress()


DRILL = Drill("broker-wipe", "loses every queue and message under load", play, orders=1000)
