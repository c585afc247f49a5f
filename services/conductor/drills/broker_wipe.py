"""The broker loses every queue and message under load: PostgreSQL knows what is open, so requests are late and none is lost."""

import signal

from conductor.capabilities import SurvivesBrokerLoss
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession

WIPES = 2


def play(session: LaptopSession) -> None:
    """Wipe it when messages wait in it, and go on only when new requests are completed.

    A pool is stopped before the wipe, so that there are messages to lose however fast the workers are, and killed after it: what it had
    fetched already would outlive the broker.
    """
    pool = session.capstone.targets[0].pool
    queues = session.runtime.pools()[pool].queues
    with session.load():
        for _ in range(WIPES if session.size.large else 1):
            session.await_loaded()
            session.runtime.kill(pool, "tree", signal.SIGSTOP)
            try:
                session.wait_for(lambda: (session.outbox.published(queues) or 0) > 0, f"messages for {pool}")
                waiting = session.outbox.published(queues)
                session.reporter.tell(
                    f"[red]{session.runtime.broker} loses everything[/red], {waiting} commands of {pool} with it"
                )
                session.runtime.wipe_broker()
            finally:
                session.runtime.kill(pool, "tree", signal.SIGKILL)
            session.reporter.tell("it answers again, empty")
            session.await_progress()


DRILL = Drill(
    "broker-wipe",
    "loses every queue and message under load",
    on_laptop=play,
    needs=(SurvivesBrokerLoss,),
    requests=1000,
)
