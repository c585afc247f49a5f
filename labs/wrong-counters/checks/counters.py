"""Charges in many processes, and the counter of a dashboard beside the ledger of the payment provider."""

import re

from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.errors import Unable
from grader.session import Session, failed, passed

TASK = "shop.tasks.take_payment"
LINE = re.compile(rf'^shop_tasks_total\{{task="{re.escape(TASK)}"\}} (\d+)(?:\.0)?$', re.MULTILINE)
CHARGES = 24


def four_processes(session: Session) -> Finding:
    """Processes that last."""
    found = _worker(session, "lasting", ())
    return _compared(session) if found.passed else found


def recycling(session: Session) -> Finding:
    """Processes that end after three charges."""
    found = _worker(session, "recycling", ("--max-tasks-per-child", "3"))
    if not found.passed:
        return found
    # What became of the counts before this worker is another check's question.
    return _compared(session, missing=len(session.payments.ledger("capture")) - (_counter(session) or 0))


def restart(session: Session) -> Finding:
    """One more worker: the ledger goes on where it was, and so must the counter."""
    found = _worker(session, "later", ())
    return _compared(session) if found.passed else found


def _worker(session: Session, name: str, arguments: tuple[str, ...]) -> Finding:
    one = worker.Parameters(app="shop.app", name=name, concurrency=4, alone=True, arguments=arguments)
    return worker.run(one, session)


def _compared(session: Session, missing: int = 0) -> Finding:
    """Charge some more orders, and compare the counter with all that the provider took, less what is missing already."""
    ids = []
    with session.valkey.client(2) as store:
        for _ in range(CHARGES):
            order = f"order-{session.random.randrange(16**8):08x}"
            store.hset(f"order:{order}", mapping={"state": "new", "amount": 1200, "address": "{}"})
            ids.append(session.send(TASK, [order]))
    if any(session.events.final(task_id, session.left(30)) is None for task_id in ids):
        return failed("no-end", f"{CHARGES} charges did not end in time")
    taken = len(session.payments.ledger("capture")) - missing
    if taken < CHARGES:
        raise Unable(f"{CHARGES} charges ended, and the provider took {taken}")
    read: list[int | None] = []

    def agrees() -> bool:
        read.append(_counter(session))
        return read[-1] == taken

    if not session.in_time(agrees, 6, every_seconds=0.2):
        if read[-1] is None:
            return failed("call", f"shop.metrics:exposition() says nothing of {TASK}")
        return failed(
            "other",
            f"the provider took {taken} charges, and the counter says {read[-1]}",
            counter=read[-1],
            ledger=taken,
        )
    return passed(f"the provider took {taken} charges, and the counter says so", ledger=taken)


def _counter(session: Session) -> int | None:
    """What the dashboard would show; a counter that does not appear was never raised."""
    end = called(session, "shop.metrics:exposition", seconds=15)
    if not isinstance(end.value, str):
        return None
    line = LINE.search(end.value)
    return int(line[1]) if line else 0
