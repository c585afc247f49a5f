"""Everything comes twice and in any order: messages of open and of finished commands, callbacks from outside, requests of clients."""

import contextlib

from conductor.capabilities import Redelivers
from conductor.capstone import capability
from conductor.harness import dependency_faults
from conductor.harness.broker_client import BrokerClient
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession

ROUNDS, SMALL_ROUNDS = 10, 4
COPIES = 3
REQUESTS = 50


def play(session: LaptopSession) -> None:
    """Repeat what is under way, again and again, while requests keep coming."""
    seen: dict[int, tuple[str, str]] = {}
    copies = 0
    with contextlib.ExitStack() as during:
        for server, plan in capability(session.capstone, Redelivers).outside.items():
            during.enter_context(dependency_faults.faults(session.access, server, plan))
        workload = during.enter_context(session.load())
        # Copies are to meet what they are copies of while it is under way: a wait for each confirm would bring them too late.
        broker = during.enter_context(BrokerClient.of(session.runtime, confirmed=False))
        for _ in range(ROUNDS if session.size.large else SMALL_ROUNDS):
            session.await_loaded()
            issued = _issued(session)
            seen |= issued
            chosen = [*issued, *session.rng.sample(sorted(seen), min(len(seen), 50))]
            session.rng.shuffle(chosen)
            for command in chosen * COPIES:
                task, queue = seen[command]
                broker.send_task(queue, task, {"v": 1, "ids": [command]})
            copies += len(chosen) * COPIES
            session.await_progress(1)
        session.reporter.tell(f"{copies} messages were delivered besides the relay's own")
        workload.repeat(REQUESTS)


def _issued(session: LaptopSession) -> dict[int, tuple[str, str]]:
    """Returns commands under way, each with its task and queue. One has the costliest effects, because no repetition costs more."""
    costliest = set(session.runtime.pools()[session.capstone.targets[0].pool].queues)
    issued: dict[int, tuple[str, str]] = {}

    def costly() -> bool:
        issued.update(session.outbox.under_way())
        return any(queue in costliest for _, queue in issued.values())

    session.wait_for(costly, f"a command in {', '.join(costliest)}")
    return issued


DRILL = Drill(
    "duplicate-delivery",
    "delivers messages, callbacks and requests again, in any order",
    on_laptop=play,
    needs=(Redelivers,),
    requests=1000,
)
