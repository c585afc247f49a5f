"""A version whose workers never get ready is deployed: the old ones go on working, and going back is one command."""

from conductor.errors import ClusterFailed, Refused
from conductor.harness.cluster_session import ClusterStage
from conductor.harness.drill import Drill

GIVEN_UP_SECONDS = 30


def play_on_cluster(stage: ClusterStage) -> None:
    """Deploy it, see that orders are worked off all the same, and go back."""
    runtime = stage.runtime
    if runtime.bad_tag is None:
        raise Refused("--bad-tag: which image's workers never get ready?")
    revision = runtime.revision()
    with stage.orders():
        open_orders = stage.await_open()
        stage.story.tell(f"deploying {runtime.bad_tag} with {open_orders} orders open")
        try:
            runtime.deploy(f"image.tag={runtime.bad_tag}", within_seconds=GIVEN_UP_SECONDS)
        except ClusterFailed:
            stage.story.tell(f"helm gave up after {GIVEN_UP_SECONDS} s, as it should")
        else:
            stage.expect(False, f"{runtime.bad_tag} became ready; it is no bad version")
        stage.expect(
            runtime.revision() > revision, f"the release is still at revision {revision}: nothing was deployed"
        )
        stage.await_progress()
        stage.story.tell("the old pods work off new orders")
        runtime.rollback(revision)
        stage.story.tell(f"back at revision {revision}")
        stage.await_progress()
    stage.expect_no_failed_request()


DRILL = Drill("bad-deploy", "deploys a version that never gets ready, and takes it back", on_cluster=play_on_cluster)
