"""An outage of the payment provider, how often it was asked meanwhile, and what became of the orders."""

import time

from conductor.waiting import until
from grader import measuring
from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

ORDERS = 4
OUTAGE_SECONDS = 12
MOST_CALLS = 6
"""For one order, over the outage. Twice as long each time from 1 s on makes four."""

AFTER_SECONDS = 20
HOME = {"street": "Rua do Sol 7", "city": "Porto", "postcode": "4000-001", "country": "PT"}


def few_calls(session: Session) -> Finding:
    """Place orders while the provider answers 500, and count what it was asked."""
    found = worker.run(worker.Parameters(app="shop.app", concurrency=2), session)
    if not found.passed:
        return found
    names = [f"order-{session.random.randrange(16**6):06x}" for _ in range(ORDERS)]
    session.payments.faults({"server_error": 1.0}, expires_in_seconds=600.0)
    began = time.monotonic()
    for name in names:
        end = called(session, "shop.flow:place", [name, 1200, HOME])
        if not end.ended or end.error:
            return failed("not-placed", f"shop.flow:place {end.why}")
    session.kept["orders"] = names
    if not session.in_time(lambda: session.payments.hits() >= 1, 15, every_seconds=0.1):
        return failed("not-asked", f"{ORDERS} orders were placed, and the payment provider was never asked")
    until(lambda: False, within_seconds=OUTAGE_SECONDS, every_seconds=OUTAGE_SECONDS)
    calls = session.payments.hits()
    session.payments.sound()
    session.kept["sound"] = time.monotonic()
    seen = {"orders": ORDERS, "calls": calls, "outage_seconds": OUTAGE_SECONDS}
    if calls > MOST_CALLS * ORDERS:
        return failed(
            "storm",
            f"in {OUTAGE_SECONDS} s of outage {ORDERS} orders made {calls} calls, at most {MOST_CALLS * ORDERS}",
            **seen,
        )
    # A slow machine makes fewer calls of a storm.
    measuring.tell(began, measuring.HIDES)
    return passed(f"in {OUTAGE_SECONDS} s of outage {ORDERS} orders made {calls} calls", **seen)


def none_given_up(session: Session) -> Finding:
    """No charge may have failed for good during the outage."""
    events = [seen.what for seen in session.events.all()]
    payments = {
        event["uuid"] for event in events if event["type"] == "task-received" and "take_payment" in event["name"]
    }
    given_up = {event["uuid"] for event in events if event["type"] == "task-failed"} & payments
    if given_up:
        return failed("given-up", f"{len(given_up)} of {ORDERS} charges were given up during the outage")
    return passed(f"none of {ORDERS} charges was given up")


def soon_after(session: Session) -> Finding:
    """Each order must be charged once, soon after the provider is back."""
    deadline = session.kept["sound"] + AFTER_SECONDS

    def charged() -> list[str]:
        return [entry["order_id"] for entry in session.payments.ledger("capture")]

    names = session.kept["orders"]
    session.in_time(lambda: set(charged()) >= set(names), deadline - time.monotonic(), every_seconds=0.3)
    missing = len(set(names) - set(charged()))
    if missing:
        return failed(
            "late", f"{missing} of {ORDERS} orders were not charged {AFTER_SECONDS} s after the outage", missing=missing
        )
    if len(charged()) > ORDERS:
        return failed("twice", f"{ORDERS} orders were charged {len(charged())} times")
    took = time.monotonic() - session.kept["sound"]
    return passed(f"all {ORDERS} orders were charged {took:.0f} s after the outage at the latest")
