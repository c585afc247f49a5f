"""Reminders that are due in a while, and when each of them comes."""

import time

from conductor.waiting import until
from grader import measuring
from grader.adapters.http_server import Answer
from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.errors import Unable
from grader.session import Session, failed, passed

DUE_SECONDS = 15
OFF_SECONDS = 2
SECONDS_AFTER = 4
"""So long after they are due the second, third and fourth of the same reminder would have come."""

LATEST_SECONDS = 15
"""So long after it is due a reminder is waited for."""


def once(session: Session) -> Finding:
    """Ask for three reminders, and count until a while after the last one is due."""
    found = worker.run(worker.Parameters(app="shop.app", concurrency=2), session)
    if not found.passed:
        return found
    names = [f"basket-{session.random.randrange(16**6):06x}" for _ in range(3)]
    due = {}
    for name in names:
        session.http.script(f"/reminders/{name}", [Answer(body={})])
        before = time.monotonic()
        end = called(session, "shop.reminders:remind_later", [name, DUE_SECONDS])
        if not end.ended or end.error:
            return failed("call", f"shop.reminders:remind_later {end.why}")
        due[name] = (before + DUE_SECONDS, time.monotonic() + DUE_SECONDS)
    session.kept["due"] = due

    def came() -> list[int]:
        return [len(session.http.requests(f"/reminders/{name}")) for name in names]

    last = max(late for _, late in due.values()) - time.monotonic()
    session.in_time(lambda: all(came()), last + LATEST_SECONDS, every_seconds=0.2)
    until(lambda: max(came()) > 1, within_seconds=session.left(SECONDS_AFTER), every_seconds=0.2)
    if not all(came()):
        return failed(
            "never",
            f"of three reminders, {came().count(0)} had not come {LATEST_SECONDS} s after they were due",
            came=came(),
        )
    if max(came()) > 1:
        return failed("again", f"three reminders were asked for, and they came {came()} times", came=came())
    return passed("three reminders were asked for, and each came once")


def in_time(session: Session) -> Finding:
    """Compare when they came with when they were due. The call that asked for one took a moment, which is no fault of the reminder's."""
    off, late_by = [], 0.0
    for name, (early, late) in session.kept["due"].items():
        at = session.http.requests(f"/reminders/{name}")[0].at
        off.append(round(max(early - at, at - late, 0), 1))
        late_by = max(late_by, at - late)
        if late - early > DUE_SECONDS / 2:
            measuring.tell()
            raise Unable(f"asking for a reminder took {late - early:.0f} s, and it is due {DUE_SECONDS} s later")
    if late_by > OFF_SECONDS:
        measuring.tell()
    if max(off) > OFF_SECONDS:
        return failed(
            "off", f"the reminders came {off} s beside when they were due, at most {OFF_SECONDS} s are allowed", off=off
        )
    return passed(f"the reminders came {off} s beside when they were due", off=off)
