"""Every pool is rolled twice while orders keep coming: what a deploy does all day must lose nothing."""

from conductor.drills import Drill
from conductor.stage import Stage

ROUNDS = 2
"""The second roll replaces processes that were themselves rolled in."""


def play(stage: Stage) -> None:
    """Roll each pool when enough orders are open to be hurt by it."""
    rounds = ROUNDS if stage.size.large else 1
    with stage.orders():
        for number in range(1, rounds + 1):
            stage.story.phase(f"deploy {number} of {rounds}")
            for pool in stage.runtime.pools():
                open_orders = stage.await_open()
                stage.story.tell(f"rolling {pool} with {open_orders} orders open")
                rolled = stage.roll(pool)
                stage.expect(
                    not any(old.killed for old in rolled.stopped),
                    f"{pool} did not end within its grace: a deploy killed it",
                )


DRILL = Drill("rolling-deploy", "rolls every pool twice under load", play)
