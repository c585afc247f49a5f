"""A node loses its power under load and stays away: what ran on it runs elsewhere within a minute and a half, and nothing accepted is lost.

Nobody says goodbye: connections stay open at broker and database until these notice, and Kubernetes waits until it believes that the node
is gone (its control plane 40 to 50 s), and as long as the pods tolerate that (`unreachableTolerationSeconds`). A node with stores
is left alone: a volume that is tied to its node comes back with it, and not before.
"""

import contextlib
import time

from conductor.cluster import nodes
from conductor.cluster.releases import name_of
from conductor.cluster.runtime import KubernetesRuntime, ready_at
from conductor.errors import Refused
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.drill import Drill

AWAY_SECONDS = 90.0
"""How long a pool may be without a ready pod."""
WAITED_SECONDS = 240.0
API = "api"


def play(session: ClusterSession) -> None:
    """Cut the power of the node without stores that has most pods, wait for each pool elsewhere, and give the power back."""
    kubectl, runtime = session.runtime.kubectl, session.runtime
    node = _chosen(runtime)
    with session.load(), runtime.at_least(2, API):
        in_flight = session.await_loaded()
        lost = _pools_on(session, node)
        session.expect(bool(lost), f"no pod of a pool is on {node}: its loss shows nothing")
        session.reporter.tell(
            f"[red]{node} loses its power[/red] with {in_flight} requests in flight; on it {', '.join(lost)}"
        )
        with contextlib.ExitStack() as faults:
            for pool in lost:
                faults.enter_context(session.fault(pool, "tree", in_flight))
            with nodes.powered_off(kubectl, node, runtime.power):
                away = _await_elsewhere(session, node, lost)
                session.await_progress()
        slow = {pool: seconds for pool, seconds in away.items() if seconds > AWAY_SECONDS}
        session.expect(not slow, f"longer than {AWAY_SECONDS:.0f} s without a ready pod: {slow}")
        session.wait_for(lambda: node in nodes.schedulable(kubectl), f"{node} to be back", WAITED_SECONDS)
        runtime.wait_ready()
        session.reporter.tell(f"{node} is back")


def _chosen(runtime: KubernetesRuntime) -> str:
    """The node whose power is cut. Refused where there is none that can be spared, and where nobody knows how to cut its power."""
    kubectl = runtime.kubectl
    candidates = nodes.schedulable(kubectl)
    if len(candidates) < 2:
        raise Refused(f"who loses a node needs another one that takes pods; there is {', '.join(candidates)}")
    kept = {*nodes.stores(kubectl), *nodes.of_judge(kubectl)}
    free = [node for node in candidates if node not in kept]
    if not free:
        raise Refused(f"every node that takes pods has stores or the judge: {', '.join(sorted(kept))}")
    node = max(free, key=lambda node: len(nodes.pods_on(kubectl, node)))
    runtime.power.commands(kubectl, node)  # refused now, and not under load
    return node


def _pools_on(session: ClusterSession, node: str) -> list[str]:
    runtime = session.runtime
    return [pool for pool in runtime.pools() if any(pod["spec"].get("nodeName") == node for pod in runtime.pods(pool))]


def _await_elsewhere(session: ClusterSession, node: str, lost: list[str]) -> dict[str, float]:
    """Seconds from now until each pool has a ready pod on another node; next to none for one that always had."""
    since = time.monotonic()
    away: dict[str, float] = {}

    def all_elsewhere() -> bool:
        for pool in (pool for pool in lost if pool not in away):
            pods = session.runtime.pods(pool)
            ready = [name_of(pod) for pod in pods if pod["spec"].get("nodeName") != node and ready_at(pod)]
            if ready:
                away[pool] = round(time.monotonic() - since, 1)
                session.reporter.tell(f"{pool} has {ready[0]} after {away[pool]} s")
        return len(away) == len(lost)

    session.wait_for(
        all_elsewhere, lambda: f"{', '.join(sorted(set(lost) - set(away)))} on another node", WAITED_SECONDS
    )
    return away


DRILL = Drill(
    "node-loss",
    "cuts a node's power, and waits for its pods elsewhere",
    on_cluster=play,
    prerequisite=_chosen,
)
