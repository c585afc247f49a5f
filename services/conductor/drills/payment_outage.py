"""The payment provider is out, first refusing and then silent: orders are still accepted, wait, and none fails because of it."""

from conductor import outside_faults, surroundings
from conductor.drills import Drill
from conductor.stage import Stage

OUTAGE_SECONDS, SMALL_OUTAGE_SECONDS = 12.0, 6.0

_BLAMED = """
    SELECT id::text, reason FROM orders
    WHERE customer LIKE %s AND state = 'failed' AND reason NOT LIKE 'payment declined%%' LIMIT 1
"""


def play(stage: Stage) -> None:
    """Let every call fail for a while, see that the circuit opens and that orders are taken on, then that they are worked off."""
    seconds = OUTAGE_SECONDS if stage.size.large else SMALL_OUTAGE_SECONDS
    with stage.orders() as load:
        for mode in ("refuse", "hang"):
            stage.await_open()
            plan = {"seconds": seconds, "mode": mode, "hang_seconds": 2.0}
            outside_faults.call(stage.runtime, "POST", "payments", "outage", plan)
            stage.story.tell(f"[red]the provider is out ({mode}) for {seconds:.0f} s[/red]")
            accepted = load.accepted
            stage.wait_for(
                lambda: "payments" in surroundings.look(stage.runtime).circuits, "the circuit to the provider to open"
            )
            stage.story.tell("the circuit to the provider is open: workers no longer wait for it")
            stage.wait_for(lambda before=accepted: load.accepted > before, "orders to be accepted all the same")  # type: ignore[misc]
            stage.await_progress()
    stage.settle()
    blamed = stage.facts.rows(_BLAMED, stage.load.prefix + "%")
    stage.expect(not blamed, f"an order failed because of the outage: {blamed}")


DRILL = Drill("payment-outage", "takes the payment provider away under load", play, orders=1000)
