"""Two workers of one process each, of which the second one comes late, and who of them does what."""

import time
from collections import Counter
from dataclasses import dataclass
from uuid import uuid4

from conductor.waiting import until
from grader import measuring
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.errors import TooBusy
from grader.remote_control import carry_out
from grader.session import Session, failed, passed

FIRST, SECOND = "first", "second"
QUEUE = "celery"
TASKS = 6
MOST_TASKS = 3
"""Of one worker. Whoever holds as many beside the one that it works on does more."""

CHARGE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Joined:
    """How many tasks each worker did, and how many waited at the first one, beside what it worked on, when the second one joined."""

    done: Counter[str]
    held: int


def shared(session: Session) -> Finding:
    """One worker has the queue for itself for a moment; then the other one joins. The busiest decides when all is done."""
    session.rabbitmq_events  # noqa: B018 it listens from now on
    for name in (FIRST, SECOND):
        found = worker.run(worker.Parameters(app="shop.app", name=name, concurrency=1, broker="rabbitmq"), session)
        if not found.passed:
            return found
    session.payments.faults({"slow": 1.0}, slow_seconds=CHARGE_SECONDS, expires_in_seconds=600.0)
    joined = _joined(session, TASKS)
    if isinstance(joined, Finding):
        return joined
    done, busiest = joined.done, max(joined.done.values())
    seen = {"tasks": dict(done), "held": joined.held}
    if busiest > MOST_TASKS and joined.held < MOST_TASKS:
        raise TooBusy(f"one worker did {busiest} of {TASKS} tasks, and held no more than {joined.held}")
    if busiest > MOST_TASKS:
        return failed(
            "hoards", f"of {TASKS} tasks one worker did {busiest}, while the other one had nothing to do", **seen
        )
    return passed(f"{TASKS} tasks were shared {sorted(done.values(), reverse=True)}", **seen)


def idle(session: Session) -> Finding:
    """Two tasks: while the first worker does one, the other one is for whoever has nothing to do."""
    began = time.monotonic()
    joined = _joined(session, 2)
    if isinstance(joined, Finding):
        return joined
    done = joined.done
    if len(done) < 2 and not joined.held:
        raise TooBusy("one worker did both tasks, and held none that it did not work on")
    if len(done) < 2:
        return failed(
            "held", "one worker held a task that it did not work on, while the other one was idle", tasks=dict(done)
        )
    # What the first one would take at once, it may have taken too late.
    measuring.tell(began, measuring.HIDES)
    return passed("of two tasks each worker did one")


def _joined(session: Session, count: int) -> Joined | Finding:
    """Send charges while the second worker consumes nothing, let it consume, and count who did how many."""
    second = session.workers[SECOND]
    carry_out(session.rabbitmq_app, second, "cancel_consumer", queue=QUEUE)
    ids = [str(uuid4()) for _ in range(count)]
    with session.valkey.client(2) as store:
        for task_id in ids:
            store.hset(f"order:{task_id}", mapping={"state": "new", "amount": 1200, "address": "{}"})
            session.rabbitmq_app.send_task("shop.tasks.take_payment", [task_id], task_id=task_id)
    events = session.rabbitmq_events

    def those(kind: str) -> dict[str, str]:
        return {
            seen.what["uuid"]: seen.what["hostname"]
            for seen in events.all()
            if seen.what["type"] == kind and seen.what["uuid"] in ids
        }

    if not session.in_time(lambda: bool(those("task-started")), 15, every_seconds=0.05):
        return failed("not-begun", "charges were sent to the queue celery, and no worker began one within 15 s")
    # What it holds beside the task that it began arrives with that one.
    until(lambda: len(those("task-received")) == count, within_seconds=CHARGE_SECONDS / 4, every_seconds=0.05)
    held = len(those("task-received")) - len(those("task-started"))
    carry_out(session.rabbitmq_app, second, "add_consumer", queue=QUEUE)
    if not session.in_time(lambda: len(those("task-succeeded")) == count, 40, every_seconds=0.1):
        return failed("no-end", f"of {count} charges {len(those('task-succeeded'))} ended")
    return Joined(Counter(those("task-started").values()), held)
