"""A node loses its power under load and stays away: what ran on it runs elsewhere within a minute and a half, and nothing accepted is lost.

Nobody says goodbye: connections stay open at broker and database until these notice, and Kubernetes waits until it believes that the node
is gone (its control plane 40 to 50 s), and as long as the pods tolerate that (`unreachableTolerationSeconds`). A node with stores
is left alone: a volume that is tied to its node comes back with it, and not before. A pool of the capstone that has such a volume, as one
that owns a shard, is what a node is chosen for: its pod waits for the node, and the drill tells for how long no request was answered.
"""

import contextlib
import time
from collections.abc import Sequence
from functools import partial

from conductor.capabilities import OwnsShard
from conductor.capstone import offered
from conductor.cluster import nodes
from conductor.cluster.releases import name_of
from conductor.cluster.runtime import KubernetesRuntime, ready_at
from conductor.errors import Refused
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.drill import Drill

AWAY_SECONDS = 90.0
"""How long a pool may be without a ready pod, when no volume ties it to its node."""
WAITED_SECONDS = 240.0
API = "api"


def play(session: ClusterSession) -> None:
    """Cut the power of a node without stores, wait for each pool elsewhere, and give the power back."""
    runtime = session.runtime
    node = _chosen(runtime)
    for holder, pods in sorted(nodes.stores(runtime.kubectl).items()):
        session.reporter.tell(f"{holder} holds the volumes of {', '.join(pods)}")
    shard = offered(session.capstone, OwnsShard)
    with session.load(), runtime.at_least(2, API):
        in_flight = session.await_loaded()
        lost = _pools_on(runtime, node)
        session.expect(bool(lost), f"no pod of a pool is on {node}: its loss shows nothing")
        bound = [pool for pool in lost if _has_volume(runtime, pool, node)]
        session.reporter.tell(
            f"[red]{node} loses its power[/red] with {in_flight} requests in flight; on it {', '.join(lost)}"
        )
        cut = partial(_cut, session, node, lost, bound, in_flight)
        if shard and shard.pool in bound:
            away = session.away_after(partial(cut, answered=False))
            session.reporter.tell(f"{shard.pool} waited for {node}: no request was answered for {away:.1f} s")
        else:
            cut()
        session.await_progress()


def _cut(
    session: ClusterSession,
    node: str,
    lost: Sequence[str],
    bound: Sequence[str],
    in_flight: int,
    *,
    answered: bool = True,
) -> None:
    """The node has no power until every pool that is not bound to it has a ready pod elsewhere; returns when every pool is ready again."""
    kubectl, runtime = session.runtime.kubectl, session.runtime
    with contextlib.ExitStack() as faults:
        for pool in lost:
            faults.enter_context(session.fault(pool, "tree", in_flight))
        with nodes.powered_off(kubectl, node, runtime.power):
            _await_elsewhere(session, node, [pool for pool in lost if pool not in bound])
            if answered:
                session.await_progress()
    since = time.monotonic()
    session.wait_for(lambda: node in nodes.schedulable(kubectl), f"{node} to be back", WAITED_SECONDS)
    session.reporter.tell(f"{node} is back {time.monotonic() - since:.1f} s after it got power")
    runtime.wait_ready()
    session.reporter.tell(f"every pool is ready {time.monotonic() - since:.1f} s after it got power, or before")


def _chosen(runtime: KubernetesRuntime) -> str:
    """The node whose power is cut: one with a volume of the capstone's own pools rather than another, then the one with most pods.

    Refused where there is none that can be spared, and where nobody knows how to cut its power.
    """
    kubectl = runtime.kubectl
    candidates = nodes.schedulable(kubectl)
    if len(candidates) < 2:
        raise Refused(f"who loses a node needs another one that takes pods; there is {', '.join(candidates)}")
    own = {name_of(pod) for pool in runtime.pools() for pod in runtime.pods(pool)}
    stores = nodes.stores(kubectl)
    kept = {node for node, pods in stores.items() if not own.issuperset(pods)} | nodes.of_judge(kubectl)
    free = [node for node in candidates if node not in kept]
    if not free:
        raise Refused(f"every node that takes pods has stores or the judge: {', '.join(sorted(kept))}")
    node = max(free, key=lambda node: (node in stores, len(nodes.pods_on(kubectl, node))))
    runtime.power.commands(kubectl, node)  # refused now, and not under load
    return node


def _pools_on(runtime: KubernetesRuntime, node: str) -> list[str]:
    return [pool for pool in runtime.pools() if any(pod["spec"].get("nodeName") == node for pod in runtime.pods(pool))]


def _has_volume(runtime: KubernetesRuntime, pool: str, node: str) -> bool:
    names = {name_of(pod) for pod in runtime.pods(pool)}
    return not names.isdisjoint(nodes.stores(runtime.kubectl).get(node, ()))


def _await_elsewhere(session: ClusterSession, node: str, lost: Sequence[str]) -> None:
    """Return when each pool has a ready pod on another node. DrillFailed when one took too long, with what the scheduler said."""
    since = time.monotonic()
    away: dict[str, float] = {}
    without_node: list[str] = []

    def all_elsewhere() -> bool:
        for pool in (pool for pool in lost if pool not in away):
            pods = session.runtime.pods(pool)
            ready = [name_of(pod) for pod in pods if pod["spec"].get("nodeName") != node and ready_at(pod)]
            if ready:
                away[pool] = round(time.monotonic() - since, 1)
                session.reporter.tell(f"{pool} has {ready[0]} after {away[pool]} s")
        if len(away) < len(lost) and time.monotonic() - since > AWAY_SECONDS and not without_node:
            without_node.extend(session.runtime.homeless())
        return len(away) == len(lost)

    def missing() -> str:
        return "; ".join([f"{', '.join(sorted(set(lost) - set(away)))} on another node", *without_node])

    session.wait_for(all_elsewhere, missing, WAITED_SECONDS)
    slow = {pool: seconds for pool, seconds in away.items() if seconds > AWAY_SECONDS}
    why = "; ".join([str(slow), *without_node])
    session.expect(not slow, f"longer than {AWAY_SECONDS:.0f} s without a ready pod: {why}")


DRILL = Drill(
    "node-loss",
    "cuts a node's power, and waits for its pods elsewhere",
    on_cluster=play,
    prerequisite=_chosen,
)
