"""The payment provider is out, first refusing and then silent: orders are still accepted, wait, and none fails because of it."""

import time

from conductor.capstones.orders import dependencies
from conductor.harness import dependency_faults
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession

OUTAGE_SECONDS, SMALL_OUTAGE_SECONDS = 12.0, 6.0
"""How long the provider is out at least; it comes back no sooner than the circuit to it is open."""

_BLAMED = """
    SELECT id::text, reason FROM orders
    WHERE customer LIKE %s AND state = 'failed' AND reason NOT LIKE 'payment declined%%' LIMIT 1
"""


def play(session: LaptopSession) -> None:
    """Let every call fail for a while, see that the circuit opens and that orders are accepted, then that they are completed."""
    seconds = OUTAGE_SECONDS if session.size.large else SMALL_OUTAGE_SECONDS
    with session.load():
        for mode in ("refuse", "hang"):
            session.await_loaded()
            began = time.monotonic()
            with dependency_faults.outage(session.access, "payments", {"mode": mode, "hang_seconds": 2.0}):
                session.reporter.tell(f"[red]the provider is out ({mode})[/red]")
                _last(session, mode, began + seconds)
            session.reporter.tell(f"it answers again after {time.monotonic() - began:.0f} s")
            session.await_progress()
    session.settle()
    blamed = session.outbox.rows(_BLAMED, session.workload.scope + "%")
    session.expect(not blamed, f"an order failed because of the outage: {blamed}")


def _last(session: LaptopSession, mode: str, until: float) -> None:
    """Return when the circuit is open, an order was accepted all the same, and the outage lasted until then."""
    session.wait_for(
        lambda: "payments" in dependencies.look(session.runtime).circuits, "the circuit to the provider to open"
    )
    session.reporter.tell("the circuit to the provider is open: workers no longer wait for it")
    session.workload.submit(f"during-{mode}")
    session.wait_for(lambda: time.monotonic() >= until, "the end of the outage")


DRILL = Drill("payment-outage", "takes the payment provider away under load", on_laptop=play, requests=1000)
