"""Charges that take 12 s: how often each of them starts, and whether it comes back when its worker is killed."""

import time

from conductor.waiting import until
from grader import measuring
from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.errors import Unable
from grader.remote_control import carry_out
from grader.session import Session, failed, passed

CHARGE_SECONDS = 12.0
BACK_SECONDS = 60
GONE_SECONDS = 3
HOME = {"street": "Rua do Sol 7", "city": "Porto", "postcode": "4000-001", "country": "PT"}


def one_start(session: Session) -> Finding:
    """Two orders; the worker has processes to spare for what is delivered again."""
    found = worker.run(worker.Parameters(app="shop.app", concurrency=6), session)
    if not found.passed:
        return found
    session.payments.faults({"slow": 1.0}, slow_seconds=CHARGE_SECONDS, expires_in_seconds=600.0)
    names = [_placed(session) for _ in range(2)]
    if None in names:
        return failed("not-placed", "shop.flow:place could not be called, or raised an error")
    if not session.in_time(lambda: _charged(session) >= set(names), 40, every_seconds=0.3):
        return failed(
            "not-charged", f"a charge takes {CHARGE_SECONDS:g} s, and two orders were not charged within 40 s"
        )
    # The broker looks for what is overdue every few seconds; each charge began and ended meanwhile.
    starts = [_starts(session, charge) for charge in _charges(session)]
    if max(starts) > 1:
        return failed("again", f"the charge of an order was begun {max(starts)} times, while it ran", starts=starts)
    return passed(f"two charges of {CHARGE_SECONDS:g} s were begun once each", starts=starts)


def back_after_a_kill(session: Session) -> Finding:
    """Kill the worker in the middle of a charge and start another one."""
    before = set(_charges(session))
    if _placed(session) is None:
        return failed("not-placed", "shop.flow:place could not be called, or raised an error")

    def running() -> list[str]:
        return [charge for charge in _charges(session) if charge not in before and _starts(session, charge)]

    if not session.in_time(lambda: bool(running()), 20, every_seconds=0.05):
        return failed("not-begun", "an order was placed, and its charge was not begun")
    charge = running()[0]
    carry_out(session.app, session.workers["worker"], "ping")
    session.workers["worker"].running.end()
    killed = time.monotonic()
    if session.events.final(charge, 0) is not None:
        measuring.tell()
        raise Unable("the charge had ended before the worker was killed")
    found = worker.run(worker.Parameters(app="shop.app", name="next", concurrency=2), session)
    if not found.passed:
        return found
    session.payments.sound()
    session.in_time(
        lambda: session.events.final(charge, 0) is not None or _gone(session),
        killed + BACK_SECONDS - time.monotonic(),
        every_seconds=0.5,
    )
    end = session.events.final(charge, 0)
    if end is None:
        after = f"{time.monotonic() - killed:.0f} s after its worker was killed"
        held = "was not done" if not session.valkey.idle() else "was not done, and the broker has no message of it"
        return failed("not-back", f"{after}, the charge {held}")
    return passed(f"the charge was done {end.at - killed:.0f} s after its worker was killed")


def _gone(session: Session) -> bool:
    """Whether the broker has had no message for a while: nothing comes back of itself then."""
    return not until(lambda: not session.valkey.idle(), within_seconds=GONE_SECONDS, every_seconds=0.2)


def _placed(session: Session) -> str | None:
    name = f"order-{session.random.randrange(16**6):06x}"
    end = called(session, "shop.flow:place", [name, 1200, HOME])
    return name if end.ended and not end.error else None


def _charged(session: Session) -> set[str]:
    return {entry["order_id"] for entry in session.payments.ledger("capture")}


def _charges(session: Session) -> list[str]:
    """The ids of the tasks that charge, in the order in which they came."""
    events = [seen.what for seen in session.events.all()]
    found = [
        event["uuid"]
        for event in events
        if event["type"] == "task-received" and event["name"].endswith(".take_payment")
    ]
    return list(dict.fromkeys(found))


def _starts(session: Session, task_id: str) -> int:
    return sum(seen.what["type"] == "task-started" for seen in session.events.of(task_id))
