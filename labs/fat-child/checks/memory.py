"""Invoices by the hundred, and how much memory the process that draws them holds."""

import contextlib

import psutil

from grader.checks import worker
from grader.domain.verdict import Finding
from grader.session import Session, Worker, failed, passed

TASK = "shop.invoices.draw_invoice"
LINES = ["x" * 100, "y" * 100]
WARM, MANY = 20, 250
MIB = 2**20
MOST_GROWTH_MIB = 12
"""A page has 0.2 MiB: what 60 of them take. A process needs some room to begin with."""

MOST_LEAK_MIB = 30
"""What the README allows a process to grow by, while the library leaks 0.2 MiB a page."""

NEVER = ("--max-tasks-per-child", "1000000", "--max-memory-per-child", "100000000")
"""On the command line, which stands above the learner's settings: this process is not replaced."""


def flat(session: Session) -> Finding:
    """A library that is sound, and a process that is never replaced."""
    found = _worker(session, "lasting", leaks=False, arguments=NEVER)
    if not found.passed:
        return found
    return _grown(session, session.workers["lasting"], MOST_GROWTH_MIB)


def bounded(session: Session) -> Finding:
    """A library that leaks, and the learner's own settings."""
    found = _worker(session, "own", leaks=True, arguments=())
    if not found.passed:
        return found
    return _grown(session, session.workers["own"], MOST_LEAK_MIB)


def _worker(session: Session, name: str, *, leaks: bool, arguments: tuple[str, ...]) -> Finding:
    text = (session.lab / "starter" / "shop" / "library.py").read_text()
    session.place("shop/library.py", text.replace("LEAKS = False", f"LEAKS = {leaks}"))
    one = worker.Parameters(
        app="shop.app", name=name, concurrency=1, alone=True, tasks=("draw_invoice",), arguments=arguments
    )
    return worker.run(one, session)


def _grown(session: Session, one: Worker, most: int) -> Finding:
    """Draw some invoices, and then many; the largest that any process was, over what it was after some."""
    if not _drawn(session, WARM):
        return failed("no-end", f"{WARM} invoices were not drawn in time")
    before, peak = _largest(one), 0.0
    ids = [session.send(TASK, [f"order-{number}", LINES]) for number in range(MANY)]

    def ended() -> bool:
        nonlocal peak
        peak = max(peak, _largest(one))
        return session.events.final(ids[-1], 0) is not None

    if not session.in_time(ended, 60, every_seconds=0.02):
        return failed("no-end", f"{MANY} invoices were not drawn in time")
    wrong = sum(session.events.final(task_id, 1) is None for task_id in ids)
    if wrong:
        return failed("lost", f"{wrong} of {MANY} invoices were not drawn")
    grown = max(0.0, max(peak, _largest(one)) - before)
    seen = {"before_mib": round(before), "grown_mib": round(grown), "invoices": MANY}
    if grown > most:
        return failed("grows", f"over {MANY} invoices a process grew by {grown:.0f} MiB, from {before:.0f} MiB", **seen)
    return passed(f"over {MANY} invoices no process grew by more than {grown:.0f} MiB", **seen)


def _drawn(session: Session, count: int) -> bool:
    ids = [session.send(TASK, [f"warm-{number}", LINES]) for number in range(count)]
    return all(session.events.final(task_id, session.left(20)) is not None for task_id in ids)


def _largest(one: Worker) -> float:
    """The memory of the largest process of the worker's, in MiB."""
    sizes = [0.0]
    for pid in one.running.processes():
        with contextlib.suppress(psutil.Error):
            sizes.append(psutil.Process(pid).memory_info().rss / MIB)
    return max(sizes)
