"""Tasks in processes that are replaced after three of them, and the spans that reach a collector, or do not find one."""

import time

from conductor.waiting import until
from grader import measuring
from grader.adapters.http_server import Answer
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.errors import TooBusy
from grader.session import Session, failed, passed

PATH = "/v1/traces"
TASK = "shop.tracing.work"
MANY = 20
FEW = 12
SILENT_SECONDS = 30.0
LEAST_SECONDS = 20.0
"""For a few tasks of no time at all: less than one answer of the collector takes, and enough for processes that are replaced."""

TIMES = 3
"""How many times as long as with a collector that answers the same tasks may take without one."""

MOST_SECONDS = 40.0
"""Less than six tasks of one process take where each waits until the exporter gives up, after 10 s."""


def every_span(session: Session) -> Finding:
    """Send tasks, and look for the id of each in what the collector was sent."""
    session.http.script(PATH, [Answer(body={})])
    recycled = ("--max-tasks-per-child", "3")
    found = worker.run(worker.Parameters(app="shop.app", concurrency=2, arguments=recycled, tasks=("work",)), session)
    if not found.passed:
        return found
    ids = [session.send(TASK, [number]) for number in range(MANY)]
    if any(session.events.final(task_id, session.left(20)) is None for task_id in ids):
        return failed("no-end", f"{MANY} tasks did not end within 20 s")
    session.in_time(lambda: not _missing(session, ids), 15, every_seconds=0.2)
    missing = _missing(session, ids)
    seen = {"tasks": MANY, "spans": MANY - len(missing)}
    if missing:
        return failed("lost", f"of {MANY} tasks the collector got {MANY - len(missing)} spans", **seen)
    return passed(f"of {MANY} tasks the collector got {MANY} spans", **seen)


def no_collector(session: Session) -> Finding:
    """Let the collector think for long and refuse; tasks must end all the same, and it must have been asked."""
    began = time.monotonic()
    answering, late = _few(session, MOST_SECONDS / TIMES)
    if late:
        raise TooBusy(f"with a collector that answers {late} of {FEW} tasks had not ended after {answering:.0f} s")
    slowdown = measuring.slowest(began)
    session.http.script(PATH, [Answer(status=503, body={}, after_seconds=SILENT_SECONDS)])
    before = len(session.http.requests(PATH))
    began = time.monotonic()
    took, late = _few(session, max(LEAST_SECONDS, TIMES * answering))
    if late:
        measuring.tell_slower(began, slowdown)
        return failed(
            "held-up",
            f"the collector was silent, and {late} of {FEW} tasks had not ended after {took:.0f} s",
            late=late,
        )
    if not session.http.wait(PATH, before + 1, session.left(15)):
        return failed("not-asked", f"{FEW} tasks ended, and the collector was sent nothing")
    return passed(f"the collector was silent, and {FEW} tasks took {took:.1f} s", seconds=round(took, 1))


def _few(session: Session, most_seconds: float) -> tuple[float, int]:
    """How long a few tasks took, and how many of them had not ended after so many seconds."""
    began = time.monotonic()
    ids = [session.send(TASK, [number]) for number in range(FEW)]

    def late() -> int:
        return sum(session.events.final(one, 0) is None for one in ids)

    until(lambda: not late(), within_seconds=most_seconds, every_seconds=0.1)
    return time.monotonic() - began, late()


def _missing(session: Session, ids: list[str]) -> list[str]:
    """The tasks whose id is in nothing that the collector got: OTLP writes an attribute's text as it is."""
    got = b"".join(request.body for request in session.http.requests(PATH))
    return [task_id for task_id in ids if task_id.encode() not in got]
