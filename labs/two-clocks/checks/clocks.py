"""Workers with a beat in each, and how many digests come while some of them start and stop."""

import signal
import time

from conductor.waiting import until
from grader import measuring
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

DAY_SECONDS = 2
DAYS = 7
OFF = 2
"""A window that is not cut at the edges of days may hold one day more or less, and on a busy machine one comes late. Two clocks mail twice
as many."""
TWO_CLOCKS = 1.7
"""From so many digests a day on there are two clocks, on whatever machine."""

STANDING = 1
"""Digests at most of a clock that stands: what was under way still comes. One that is slow mails more."""


def one_a_day(session: Session) -> Finding:
    """Two workers for some days; then one is replaced, and both go on for as many more."""
    for name in ("first", "second"):
        found = _started(session, name)
        if not found.passed:
            return found
    if not session.in_time(lambda: _mailed(session) > 0, session.left(20), every_seconds=0.1):
        return failed("none", "two workers with a beat in each, and no digest came within 20 s")
    began, together = time.monotonic(), _counted(session)
    session.workers["second"].running.signal(signal.SIGTERM)
    session.workers["second"].running.wait(session.left(10))
    session.workers["second"].running.end()
    found = _started(session, "third")
    if not found.passed:
        return found
    return _judged(began, together, _counted(session))


def dead_clock(session: Session) -> Finding:
    """Kill the one that began first; the other one must not leave out a day."""
    session.workers["first"].running.end()
    return _judged(time.monotonic(), _counted(session))


def _started(session: Session, name: str) -> Finding:
    own = ("--beat", "--schedule", str(session.workspace / f"beat-{name}"))
    return worker.run(worker.Parameters(app="shop.app", name=name, concurrency=1, arguments=own), session)


def _mailed(session: Session) -> int:
    """How many mails the mail server took so far."""
    return len(session.mail.ledger("mail"))


def _counted(session: Session) -> tuple[int, float]:
    """How many digests came in a few days, and how many days it really were."""
    began, before = time.monotonic(), _mailed(session)
    until(lambda: False, within_seconds=DAYS * DAY_SECONDS, every_seconds=DAYS * DAY_SECONDS)
    return _mailed(session) - before, (time.monotonic() - began) / DAY_SECONDS


def _judged(began: float, *windows: tuple[int, float]) -> Finding:
    """What these windows show; the first of them began at that moment."""
    seen = {"digests": [count for count, _ in windows], "days": [round(days, 1) for _, days in windows]}
    for count, days in windows:
        if days + OFF < count < TWO_CLOCKS * days:
            # What was held up before may have come in this window.
            measuring.tell(began)
        if count > days + OFF:
            return failed("too-many", f"in {days:.0f} days {count} digests were mailed", **seen)
        if STANDING < count < days - OFF:
            measuring.tell(began)
        if count < days - OFF:
            return failed("too-few", f"in {days:.0f} days only {count} digests were mailed", **seen)
    # On a slow machine two clocks may mail no more than one should.
    measuring.tell(began, measuring.HIDES)
    return passed(f"in {seen['days']} days {seen['digests']} digests were mailed", **seen)
