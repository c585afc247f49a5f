"""Every pool is rolled twice while orders keep coming: what a deploy does all day must lose nothing."""

from conductor.cluster_stage import ClusterStage
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


def play_on_cluster(stage: ClusterStage) -> None:
    """Upgrade the release to another version, migration included, and back; no client may notice."""
    runtime = stage.runtime
    with stage.orders():
        for number in range(1, ROUNDS + 1):
            open_orders = stage.await_open()
            tag = runtime.next_tag if number % 2 else runtime.tag
            change = f"image.tag={tag}" if runtime.next_tag else f"secretChecksum=deploy-{number}"
            stage.story.phase(f"deploy {number} of {ROUNDS}: {change}, with {open_orders} orders open")
            runtime.deploy(change)
            stage.story.tell("every pod is new and ready")
    stage.expect_no_failed_request()


DRILL = Drill("rolling-deploy", "rolls every pool twice under load", play, play_on_cluster)
