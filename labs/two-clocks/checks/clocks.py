"""Workers with a beat in each, and how many digests come while some of them start and stop."""

import signal
import time

from conductor.waiting import until
from grader import measuring
from grader.adapters.http_server import Answer
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

PATH = "/digests"
DAY_SECONDS = 2
DAYS = 7
OFF = 2
"""A window that is not cut at the edges of days may hold one day more or less, and on a busy machine one comes late. Two clocks mail twice
as many."""
STANDING = 1
"""Digests at most of a clock that stands: what was under way still comes. One that is slow mails more."""


def one_a_day(session: Session) -> Finding:
    """Two workers for some days; then one is replaced, and both go on for as many more."""
    session.http.script(PATH, [Answer(body={})])
    for name in ("first", "second"):
        found = _started(session, name)
        if not found.passed:
            return found
    if not session.http.wait(PATH, 1, session.left(20)):
        return failed("none", "two workers with a beat in each, and no digest came within 20 s")
    together = _counted(session)
    session.workers["second"].running.signal(signal.SIGTERM)
    session.workers["second"].running.wait(session.left(10))
    session.workers["second"].running.end()
    found = _started(session, "third")
    if not found.passed:
        return found
    return _judged(session, together, _counted(session))


def dead_clock(session: Session) -> Finding:
    """Kill the one that began first; the other one must not leave out a day."""
    session.workers["first"].running.end()
    return _judged(session, _counted(session))


def _started(session: Session, name: str) -> Finding:
    own = ("--beat", "--schedule", str(session.workspace / f"beat-{name}"))
    return worker.run(worker.Parameters(app="shop.app", name=name, concurrency=1, arguments=own), session)


def _counted(session: Session) -> tuple[int, float]:
    """How many digests came in a few days, and how many days it really were."""
    began, before = time.monotonic(), len(session.http.requests(PATH))
    until(lambda: False, within_seconds=session.left(DAYS * DAY_SECONDS), every_seconds=DAYS * DAY_SECONDS)
    return len(session.http.requests(PATH)) - before, (time.monotonic() - began) / DAY_SECONDS


def _judged(session: Session, *windows: tuple[int, float]) -> Finding:
    seen = {"digests": [count for count, _ in windows], "days": [round(days, 1) for _, days in windows]}
    for count, days in windows:
        if count > days + OFF:
            return failed("too-many", f"in {days:.0f} days {count} digests were mailed", **seen)
        if STANDING < count < days - OFF:
            measuring.tell()
        if count < days - OFF:
            return failed("too-few", f"in {days:.0f} days only {count} digests were mailed", **seen)
    return passed(f"in {seen['days']} days {seen['digests']} digests were mailed", **seen)
