"""A share of a pool tries a good version, which is promoted, and a faulty one, which is withdrawn: by its own error rate, by itself."""

from conductor.cluster.canary_rollout import Trial
from conductor.errors import Refused
from conductor.harness.cluster_session import ClusterStage
from conductor.harness.drill import Drill

POOL = "payments"
ENOUGH = 100
"""Commands each, at least, before a canary that looks well is promoted."""


def play_on_cluster(stage: ClusterStage) -> None:
    """Try both, and have the orders that the faulty one failed end all the same: retried by the others, or replayed."""
    runtime = stage.runtime
    if runtime.faulty_tag is None:
        raise Refused("--faulty-tag: which image's payments fail now and then?")
    good = runtime.next_tag
    with stage.orders():
        if good is not None:
            stage.story.phase(f"a good canary with {stage.await_open()} orders open")
            outcome = runtime.canary(Trial(POOL, good, enough=ENOUGH), stage.story.tell)
            stage.expect(outcome.promoted, f"{good} was withdrawn, and is good: {outcome.why}")
            stage.await_progress()
        stage.story.phase(f"a faulty canary with {stage.await_open()} orders open")
        outcome = runtime.canary(Trial(POOL, runtime.faulty_tag, enough=ENOUGH), stage.story.tell)
        stage.expect(not outcome.promoted, f"{runtime.faulty_tag} was promoted, and is faulty: {outcome.why}")
        stage.story.tell(f"withdrawn by itself: {outcome.why}")
        images = {pod["spec"]["containers"][0]["image"] for pod in runtime.pods(POOL)}
        stage.expect(len(images) == 1, f"{POOL} still runs {', '.join(sorted(images))}")
        replayed = runtime.replay_parked("bug")
        stage.expect(bool(replayed), "nothing was parked: the faulty version failed nothing for good")
        stage.story.tell(f"replayed {len(replayed)} commands that it had failed for good")
        stage.await_progress()
        if good is not None:
            runtime.roll_out(runtime.tag, stage.story.tell, back=True)
    stage.expect_no_failed_request()


DRILL = Drill(
    "canary", "tries a good and a faulty version on a share of a pool, judged by its errors", on_cluster=play_on_cluster
)
