"""A pool is scaled out and in again while its pods work: scaling in is a deploy of fewer, and must not cost a task."""

from conductor.harness.cluster_session import ClusterStage
from conductor.harness.drill import Drill

POOL, SERVER = "fulfilment", "carrier"
MOST = 3


def play_on_cluster(stage: ClusterStage) -> None:
    """Take pods away while calls to the carrier hang in them."""
    runtime = stage.runtime
    restarts = runtime.restarts()
    with stage.orders():
        for number in range(2 if stage.size.large else 1):
            runtime.scale(POOL, MOST)
            stage.story.tell(f"{MOST} pods of {POOL}")
            stage.ask("slow", server=SERVER, rate=0.2, seconds=1.5, seed=number)
            open_orders = stage.await_open()
            runtime.scale(POOL, runtime.pools()[POOL].replicas)
            stage.story.tell(f"scaled in with {open_orders} orders open")
            stage.await_progress()
            stage.ask("calm", server=SERVER)
    again = {name: count for name, count in runtime.restarts().items() if count > restarts.get(name, 0)}
    stage.expect(not again, f"pods were restarted: {again}")
    stage.expect_no_failed_request()


DRILL = Drill("scale-in-while-busy", "takes pods away while they work", on_cluster=play_on_cluster)
