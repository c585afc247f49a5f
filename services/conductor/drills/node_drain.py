"""Nodes are drained under load, as for an upgrade of the cluster: first one without stores, which no client may notice, then each that has
stores, where clients may be told when to come again.

The API is moved in both ways that leave no gap: with two pods the budget lets the second go when the first is back elsewhere, which
is all that an autoscaler's drain asks for; and by a roll of the cordoned node's pods before the drain, which does for one pod as well.
"""

from conductor.cluster import nodes
from conductor.errors import Refused
from conductor.harness.cluster_session import ClusterStage
from conductor.harness.drill import Drill

DRAINED_SECONDS = 240
AWAY_SECONDS = 60.0
"""How long it may take until a client notices that the stores are away."""

API = "api"


def play_on_cluster(stage: ClusterStage) -> None:
    """Drain, look, and let pods come again; stores whose volumes are tied to their node wait for that."""
    kubectl = stage.runtime.kubectl
    candidates = nodes.schedulable(kubectl)
    if len(candidates) < 2:
        raise Refused(
            f"a drain needs two nodes that take pods, for the pods to go to; there is {', '.join(candidates)}"
        )
    stores = nodes.stores(kubectl)
    free = [node for node in candidates if node not in stores]
    if not free:
        where = "; ".join(f"{', '.join(pods)} on {node}" for node, pods in sorted(stores.items()))
        raise Refused(f"every node that takes pods has stores, so none can be drained without them: {where}")
    with stage.orders():
        with stage.runtime.at_least(2, API):
            _without_stores(stage, max(free, key=lambda node: len(nodes.pods_on(kubectl, node))))
        for node in stores:
            _with_stores(stage, node, stores[node])
    stage.expect_polite()


def _without_stores(stage: ClusterStage, node: str) -> None:
    kubectl = stage.runtime.kubectl
    leaving = nodes.pods_on(kubectl, node)
    stage.expect(bool(leaving), f"no pod is on {node}: draining it shows nothing")
    open_orders = stage.await_open()
    stage.story.phase(f"{node} has no store")
    stage.story.tell(f"draining {node} of {len(leaving)} pods, with {open_orders} orders open: {', '.join(leaving)}")
    with nodes.cordoned(kubectl, node):
        nodes.drain(kubectl, node, within_seconds=DRAINED_SECONDS)
        stage.runtime.wait_ready()
        stage.await_progress()
    stage.look()
    stage.expect_no_failed_request()
    stage.story.tell("drained; every pool works elsewhere, and no request had to be sent again")


def _with_stores(stage: ClusterStage, node: str, stores: list[str]) -> None:
    kubectl, runtime = stage.runtime.kubectl, stage.runtime
    stage.story.phase(f"{node} has {', '.join(stores)}")
    before = int(stage.look()["asked_again"])
    open_orders = stage.await_open()
    with stage.blow("postgres", "server"):
        with nodes.cordoned(kubectl, node):
            runtime.restart(API)
            stage.story.tell("the API's pods went elsewhere, each when its successor was ready")
            stage.look()
            stage.expect(stage.status["asked_again"] == before, f"moving the API was noticed: {stage.status['why']}")
            stage.story.tell(f"draining {node} with {open_orders} orders open")
            nodes.drain(kubectl, node, within_seconds=DRAINED_SECONDS)
            stage.wait_for(lambda: stage.look()["asked_again"] > before, "a client to be refused", AWAY_SECONDS)
            stage.story.tell(f"drained; the stores wait for their volumes, and clients hear {stage.status['why']}")
            left = nodes.pods_on(kubectl, node)
            stage.expect(not left, f"still on {node} after it was drained: {', '.join(left)}")
        runtime.wait_stored()
    stage.story.tell("pods may come again, and the stores did")
    runtime.wait_ready()
    stage.await_progress()


DRILL = Drill("node-drain", "drains a node without stores, then those with stores", on_cluster=play_on_cluster)
