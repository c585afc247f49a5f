"""A version whose workers never get ready is deployed: the old ones go on working, and going back is one command."""

from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import ClusterFailed, Refused
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.drill import Drill

GIVEN_UP_SECONDS = 30


def play(session: ClusterSession) -> None:
    """Deploy it, see that requests are completed all the same, and go back."""
    runtime = session.runtime
    tag = _bad_tag(runtime)
    revision = runtime.revision()
    with session.load():
        in_flight = session.await_loaded()
        session.reporter.tell(f"deploying {tag} with {in_flight} requests in flight")
        try:
            runtime.deploy(f"image.tag={tag}", within_seconds=GIVEN_UP_SECONDS)
        except ClusterFailed:
            session.reporter.tell(f"helm gave up after {GIVEN_UP_SECONDS} s, as it should")
        else:
            session.expect(False, f"{tag} became ready; it is no bad version")
        session.expect(
            runtime.revision() > revision, f"the release is still at revision {revision}: nothing was deployed"
        )
        session.await_progress()
        session.reporter.tell("the old pods complete new requests")
        runtime.rollback(revision)
        session.reporter.tell(f"back at revision {revision}")
        session.await_progress()
    session.expect_no_failed_request()


def _bad_tag(runtime: KubernetesRuntime) -> str:
    if runtime.bad_tag is None:
        raise Refused("--bad-tag names no image whose workers never get ready")
    return runtime.bad_tag


DRILL = Drill(
    "bad-deploy",
    "deploys a version that never gets ready, and takes it back",
    on_cluster=play,
    prerequisite=_bad_tag,
)
