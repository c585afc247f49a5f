"""Nodes are drained under load, as for an upgrade of the cluster: first one without stores, which no client may notice, then each that has
stores, where clients may be told when to come again.

The API is moved in both ways that leave no gap: with two pods the budget lets the second go when the first is back elsewhere, which
is all that an autoscaler's drain asks for; and by a roll of the cordoned node's pods before the drain, which does for one pod as well.
"""

from conductor.cluster import nodes
from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import Refused
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.drill import Drill

DRAINED_SECONDS = 240
AWAY_SECONDS = 60.0
"""How long it may take until a client notices that the stores are away."""

API = "api"


def play(session: ClusterSession) -> None:
    """Drain, look, and let pods come again; stores whose volumes are tied to their node wait for that."""
    free = _free(session.runtime)
    stores = nodes.stores(session.runtime.kubectl)
    with session.load():
        with session.runtime.at_least(2, API):
            _without_stores(session, free)
        for node in stores:
            _with_stores(session, node, stores[node])
    session.expect_told_when()


def _free(runtime: KubernetesRuntime) -> str:
    """The node without stores that has most pods. Refused where there is none."""
    kubectl = runtime.kubectl
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
    return max(free, key=lambda node: len(nodes.pods_on(kubectl, node)))


def _without_stores(session: ClusterSession, node: str) -> None:
    kubectl = session.runtime.kubectl
    leaving = nodes.pods_on(kubectl, node)
    session.expect(bool(leaving), f"no pod is on {node}: draining it shows nothing")
    in_flight = session.await_loaded()
    session.reporter.phase(f"{node} has no store")
    session.reporter.tell(
        f"draining {node} of {len(leaving)} pods, with {in_flight} requests in flight: {', '.join(leaving)}"
    )
    with nodes.cordoned(kubectl, node):
        nodes.drain(kubectl, node, within_seconds=DRAINED_SECONDS)
        session.runtime.wait_ready()
        session.await_progress()
    session.look()
    session.expect_no_failed_request()
    session.reporter.tell("drained; every pool works elsewhere, and no request had to be sent again")


def _with_stores(session: ClusterSession, node: str, stores: list[str]) -> None:
    kubectl, runtime = session.runtime.kubectl, session.runtime
    session.reporter.phase(f"{node} has {', '.join(stores)}")
    before = int(session.look()["asked_again"])
    in_flight = session.await_loaded()
    with session.fault("postgres", "server"):
        with nodes.cordoned(kubectl, node):
            runtime.restart(API)
            session.reporter.tell("the API's pods went elsewhere, each when its successor was ready")
            session.look()
            session.expect(
                session.status["asked_again"] == before, f"moving the API was noticed: {session.status['why']}"
            )
            session.reporter.tell(f"draining {node} with {in_flight} requests in flight")
            nodes.drain(kubectl, node, within_seconds=DRAINED_SECONDS)
            session.wait_for(lambda: session.look()["asked_again"] > before, "a client to be refused", AWAY_SECONDS)
            session.reporter.tell(
                f"drained; the stores wait for their volumes, and clients hear {session.status['why']}"
            )
            left = nodes.pods_on(kubectl, node)
            session.expect(not left, f"still on {node} after it was drained: {', '.join(left)}")
        runtime.wait_stored()
    session.reporter.tell("pods may come again, and the stores did")
    runtime.wait_ready()
    session.await_progress()


DRILL = Drill("node-drain", "drains a node without stores, then those with stores", on_cluster=play, prerequisite=_free)
