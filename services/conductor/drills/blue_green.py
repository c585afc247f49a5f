"""Another version is installed beside the one that works and takes the work over, and it goes back: no queue may be left alone."""

from conductor.errors import ConductorError
from conductor.harness.cluster_session import ClusterStage
from conductor.harness.drill import Drill

LONGEST_GAP_SECONDS = 2.0


def play_on_cluster(stage: ClusterStage) -> None:
    """Switch to green and back to blue, and see by the broker that somebody consumed all the while."""
    runtime = stage.runtime
    queues = sorted(queue for pool in runtime.pools().values() for queue in pool.queues)
    stage.ask("watch_consumers", queues=queues)
    try:
        with stage.orders():
            for to in ("green", "blue"):
                open_orders = stage.await_open()
                stage.story.phase(f"switching to {to} with {open_orders} orders open")
                tag = (runtime.next_tag or runtime.tag) if to == "green" else runtime.tag
                runtime.switch(to, tag, stage.story.tell, alone=to == "blue")
                stage.await_progress()
                stage.story.tell(f"{to} works off new orders")
    except ConductorError:
        # Whoever plays next finds one release, and that it works.
        runtime.switch("blue", None, stage.story.tell, alone=True)
        raise
    seen = stage.ask("consumers")
    longest = max(seen["gaps"], key=lambda queue: seen["gaps"][queue])
    stage.story.tell(
        f"the longest time that no consumer was seen at a queue: {seen['gaps'][longest]} s, at {longest}; looked {seen['looks']} "
        f"times, at worst {seen['coarsest']} s apart; consumers at least and at most: {seen['consumers']}"
    )
    for queue, seconds in seen["gaps"].items():
        stage.expect(seconds <= LONGEST_GAP_SECONDS, f"{queue} was without a consumer for {seconds} s")
    for queue, (_, most) in seen["consumers"].items():
        stage.expect(most >= 2, f"{queue} never had consumers of both releases: it was handed over, not switched")
    stage.expect_no_failed_request()


DRILL = Drill("blue-green", "has a second release take the work over, and goes back", on_cluster=play_on_cluster)
