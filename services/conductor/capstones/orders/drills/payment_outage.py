"""The payment provider is out, first refusing and then silent: orders are still accepted, wait, and none fails because of it."""

import time

from conductor.capstones.orders import dependencies
from conductor.harness import dependency_faults
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage

OUTAGE_SECONDS, SMALL_OUTAGE_SECONDS = 12.0, 6.0
"""How long the provider is out at least; it comes back no sooner than the circuit to it is open."""

_BLAMED = """
    SELECT id::text, reason FROM orders
    WHERE customer LIKE %s AND state = 'failed' AND reason NOT LIKE 'payment declined%%' LIMIT 1
"""


def play(stage: Stage) -> None:
    """Let every call fail for a while, see that the circuit opens and that orders are taken on, then that they are worked off."""
    seconds = OUTAGE_SECONDS if stage.size.large else SMALL_OUTAGE_SECONDS
    with stage.orders():
        for mode in ("refuse", "hang"):
            stage.await_open()
            began = time.monotonic()
            with dependency_faults.outage(stage.runtime, "payments", {"mode": mode, "hang_seconds": 2.0}):
                stage.story.tell(f"[red]the provider is out ({mode})[/red]")
                _last(stage, mode, began + seconds)
            stage.story.tell(f"it answers again after {time.monotonic() - began:.0f} s")
            stage.await_progress()
    stage.settle()
    blamed = stage.facts.rows(_BLAMED, stage.load.prefix + "%")
    stage.expect(not blamed, f"an order failed because of the outage: {blamed}")


def _last(stage: Stage, mode: str, until: float) -> None:
    """Return when the circuit is open, an order was accepted all the same, and the outage lasted until then."""
    stage.wait_for(
        lambda: "payments" in dependencies.look(stage.runtime).circuits, "the circuit to the provider to open"
    )
    stage.story.tell("the circuit to the provider is open: workers no longer wait for it")
    stage.place(f"during-{mode}")
    stage.wait_for(lambda: time.monotonic() >= until, "the end of the outage")


DRILL = Drill("payment-outage", "takes the payment provider away under load", play, orders=1000)
