"""Processes that die right before or right after they send a message, and what became of the orders that they accepted."""

from collections import Counter

from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

HOME = {"street": "Rua do Sol 7", "city": "Porto", "postcode": "4000-001", "country": "PT"}
SHIPPED_SECONDS = 20

DYING = '''"""Written by the check: a process that dies when it sends a message."""

import os
import signal

from kombu import Producer

from shop import flow, relay

publish = Producer.publish


def dies(when):
    def dying(self, *args, **kwargs):
        if when == "after":
            publish(self, *args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    Producer.publish = dying


def place(when, *order):
    dies(when)
    return flow.place(*order)


def run_once(when):
    dies(when)
    return relay.run_once()
'''


def none_lost(session: Session) -> Finding:
    """Two orders are placed in peace, two by processes that die before they send, two by ones that die after it."""
    session.place("dying.py", DYING)
    session.kept["orders"] = names = [f"order-{session.random.randrange(16**6):06x}" for _ in range(6)]
    for name in names[:2]:
        end = called(session, "shop.flow:place", [name, 1200, HOME])
        if not end.ended or end.error:
            return failed("call", f"shop.flow:place {end.why}")
    for name, when in zip(names[2:], ("before", "before", "after", "after"), strict=True):
        called(session, "dying:place", [when, name, 1200, HOME])
    # Asked before anything runs: a task of an order that is not kept may leave a trace of it.
    accepted = session.kept["accepted"] = _accepted(session, names)
    if not accepted >= set(names[:2]):
        return failed("not-accepted", "shop.flow:place returned, and the order is not kept", accepted=len(accepted))
    found = worker.run(worker.Parameters(app="shop.app", concurrency=2), session)
    if not found.passed:
        return found
    for _ in range(2):
        end = called(session, "shop.relay:run_once")
        if not end.ended or end.error:
            return failed("call", f"shop.relay:run_once {end.why}")
    session.in_time(lambda: _shipped(session, accepted) == accepted, SHIPPED_SECONDS, every_seconds=0.2)
    lost = len(accepted - _shipped(session, accepted))
    seen = {"placed": len(names), "accepted": len(accepted), "lost": lost}
    if lost:
        return failed(
            "lost", f"{len(accepted)} orders were accepted, processes died, and {lost} of them were never begun", **seen
        )
    return passed(f"processes died, and all {len(accepted)} orders that were accepted were shipped", **seen)


def no_ghosts(session: Session) -> Finding:
    """Nothing may have been begun for an order that is not kept."""
    events = [seen.what for seen in session.events.all()]
    failures = [event for event in events if event["type"] == "task-failed"]
    names, charged = session.kept["orders"], {entry["order_id"] for entry in session.payments.ledger("capture")}
    ghosts = [name for name in names if name not in session.kept["accepted"]]
    begun = [
        event
        for event in events
        if event["type"] == "task-received" and any(ghost in str(event["args"]) for ghost in ghosts)
    ]
    seen = {"not_accepted": len(ghosts), "begun": len(begun), "failed_tasks": len(failures)}
    if begun or charged & set(ghosts):
        return failed("ghosts", f"{len(begun)} tasks were begun for orders that nobody accepted", **seen)
    return passed("nothing was begun for an order that nobody accepted", **seen)


def relay_dies(session: Session) -> Finding:
    """A relay dies right after it sent; the next one goes on. Each order must be shipped, and charged once."""
    names = [f"order-{session.random.randrange(16**6):06x}" for _ in range(2)]
    for name in names:
        called(session, "shop.flow:place", [name, 1200, HOME])
    for when in ("before", "after"):
        called(session, "dying:run_once", [when])
    end = called(session, "shop.relay:run_once")
    if not end.ended or end.error:
        return failed("call", f"shop.relay:run_once {end.why}")
    session.in_time(lambda: _shipped(session, set(names)) == set(names), SHIPPED_SECONDS, every_seconds=0.2)
    lost = len(set(names) - _shipped(session, set(names)))
    charges = Counter(entry["order_id"] for entry in session.payments.ledger("capture"))
    if lost:
        return failed(
            "lost", f"two relays died in the middle, and {lost} of {len(names)} orders were never begun", lost=lost
        )
    if any(count > 1 for count in charges.values()):
        return failed("doubled", "an order was charged more than once", charges=sorted(charges.values()))
    return passed("two relays died in the middle, and each order was shipped and charged once")


def _accepted(session: Session, names: list[str]) -> set[str]:
    with session.valkey.client(2) as store:
        return {name for name in names if store.exists(f"order:{name}")}


def _shipped(session: Session, names: set[str]) -> set[str]:
    with session.valkey.client(2) as store:
        return {name for name in names if store.hget(f"order:{name}", "state") == "shipped"}
