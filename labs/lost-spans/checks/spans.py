"""Tasks in processes that are replaced after three of them, and the spans that reach a collector, or do not find one."""

import time

from grader.adapters.http_server import Answer
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.errors import TooBusy
from grader.session import Session, failed, passed

PATH = "/v1/traces"
TASK = "shop.tracing.work"
MANY = 20
FEW = 6
SILENT_SECONDS = 30.0
MOST_SECONDS = 10.0
"""For a few tasks of no time at all: less than one answer of the collector takes, and enough for a process that is replaced."""

BUSY_SECONDS = 3.0
"""Where the same tasks take longer than that with a collector that answers, the machine is what holds them up."""


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
    answering, _ = _few(session)
    session.http.script(PATH, [Answer(status=503, body={}, after_seconds=SILENT_SECONDS)])
    before = len(session.http.requests(PATH))
    took, late = _few(session)
    if late and answering > BUSY_SECONDS:
        raise TooBusy(f"with a collector that answers the tasks took {answering:.1f} s")
    if late:
        return failed(
            "held-up",
            f"the collector was silent, and {late} of {FEW} tasks had not ended after {took:.0f} s",
            late=late,
        )
    if not session.http.wait(PATH, before + 1, session.left(15)):
        return failed("not-asked", f"{FEW} tasks ended, and the collector was sent nothing")
    return passed(f"the collector was silent, and {FEW} tasks took {took:.1f} s", seconds=round(took, 1))


def _few(session: Session) -> tuple[float, int]:
    """How long a few tasks took, and how many of them have not ended."""
    began = time.monotonic()
    ids = [session.send(TASK, [number]) for number in range(FEW)]
    late = sum(session.events.final(one, began + MOST_SECONDS - time.monotonic()) is None for one in ids)
    return time.monotonic() - began, late


def _missing(session: Session, ids: list[str]) -> list[str]:
    """The tasks whose id is in nothing that the collector got: OTLP writes an attribute's text as it is."""
    got = b"".join(request.body for request in session.http.requests(PATH))
    return [task_id for task_id in ids if task_id.encode() not in got]
