"""Every pool is rolled twice while orders keep coming: what a deploy does all day must lose nothing."""

from collections.abc import Sequence

from conductor.cluster.runtime import ready_at
from conductor.harness.cluster_session import ClusterStage
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage
from conductor.pools import Role

CONSUMERS: tuple[Role, ...] = ("worker",)
PRODUCERS: tuple[Role, ...] = ("api", "relay", "beat")

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
            back = number % 2 == 0
            stage.story.phase(f"deploy {number} of {ROUNDS}, with {open_orders} orders open")
            if runtime.next_tag is None:
                runtime.deploy(f"secretChecksum=deploy-{number}")
            else:
                runtime.roll_out(runtime.tag if back else runtime.next_tag, stage.story.tell, back=back)
                _in_order(stage, *((PRODUCERS, CONSUMERS) if back else (CONSUMERS, PRODUCERS)))
            stage.story.tell("every pod is new and ready")
    stage.expect_no_failed_request()


def _in_order(stage: ClusterStage, first: Sequence[Role], then: Sequence[Role]) -> None:
    """DrillFailed when a pod of the one kind began before every pod of the other was ready."""
    pools = stage.runtime.pools()
    pods = {
        role: [pod for name in pools if pools[name].role == role for pod in stage.runtime.pods(name)]
        for role in (*first, *then)
    }
    ready = max(ready_at(pod) or "never" for role in first for pod in pods[role])
    began = min(str(pod["metadata"]["creationTimestamp"]) for role in then for pod in pods[role])
    stage.expect(ready <= began, f"{', '.join(first)} were ready at {ready}, and {', '.join(then)} came at {began}")


DRILL = Drill("rolling-deploy", "rolls every pool twice under load", play, play_on_cluster)
