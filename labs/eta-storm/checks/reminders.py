"""Reminders that are due in a while, and when each of them comes."""

import time
from collections import Counter

from conductor.waiting import until
from grader import measuring
from grader.adapters.observed import FINAL_EVENTS
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
    session.kept["began"] = began = time.monotonic()
    names = [f"basket-{session.random.randrange(16**6):06x}" for _ in range(3)]
    due = {}
    for name in names:
        before = time.time()
        end = called(session, "shop.reminders:remind_later", [name, DUE_SECONDS])
        if not end.ended or end.error:
            return failed("call", f"shop.reminders:remind_later {end.why}")
        due[name] = (before + DUE_SECONDS, time.time() + DUE_SECONDS)
    session.kept["due"] = due

    def came() -> list[int]:
        return [len(_mailed(session, name)) for name in names]

    last = max(late for _, late in due.values()) - time.time()
    session.in_time(lambda: all(came()), last + LATEST_SECONDS, every_seconds=0.2)
    until(lambda: max(came()) > 1 or _nothing_left(session), within_seconds=SECONDS_AFTER, every_seconds=0.2)
    if not all(came()):
        return failed(
            "never",
            f"of three reminders, {came().count(0)} had not come {LATEST_SECONDS} s after they were due",
            came=came(),
        )
    if max(came()) > 1:
        return failed("again", f"three reminders were asked for, and they came {came()} times", came=came())
    if not _nothing_left(session):
        # On a slow machine the second of the same reminder comes later than that.
        measuring.tell(began)
    return passed("three reminders were asked for, and each came once")


def in_time(session: Session) -> Finding:
    """Compare when they came with when they were due. The call that asked for one took a moment, which is no fault of the reminder's."""
    off, late_by = [], 0.0
    for name, (early, late) in session.kept["due"].items():
        at = _mailed(session, name)[0]
        off.append(round(max(early - at, at - late, 0), 1))
        late_by = max(late_by, at - late)
        if late - early > DUE_SECONDS / 2:
            measuring.tell(session.kept["began"])
            raise Unable(f"asking for a reminder took {late - early:.0f} s, and it is due {DUE_SECONDS} s later")
    if late_by > OFF_SECONDS:
        # A message was there long before: only what happened since it was due made it late.
        first = min(early for early, _ in session.kept["due"].values())
        measuring.tell(time.monotonic() - (time.time() - first))
    if max(off) > OFF_SECONDS:
        return failed(
            "off", f"the reminders came {off} s beside when they were due, at most {OFF_SECONDS} s are allowed", off=off
        )
    return passed(f"the reminders came {off} s beside when they were due", off=off)


def _nothing_left(session: Session) -> bool:
    """Whether the broker holds no message, and whatever a worker received has ended: nothing comes any more then, on whatever machine."""
    seen = Counter(event.what["type"] for event in session.events.all())
    ended = sum(seen[kind] for kind in (*FINAL_EVENTS, "task-retried"))
    return session.valkey.idle() and ended >= seen["task-received"]


def _mailed(session: Session, name: str) -> list[float]:
    """When the mail server took each reminder of this basket, by the clock of the day, as its ledger has it."""
    return [entry["at"] for entry in session.mail.ledger("mail") if entry["order_id"] == name]
