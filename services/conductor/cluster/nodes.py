"""The nodes of a cluster as a drill drains them: its own namespace's pods leave, those of others stay where they are.

A drill is a guest. What else is on a node - the cluster's DNS, somebody else's pods, the judge of this drill - is not what it
is about, so the pods that have to leave are marked, and the drain takes only those.
"""

import contextlib
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from conductor.cluster.kubectl import Kubectl

MARK = "celery-capstones/drained-from"
STAYS = "app.kubernetes.io/component!=judge"
"""The judge keeps the journal of the drill in its pod."""


def schedulable(kubectl: Kubectl) -> list[str]:
    """The nodes that are ready and take pods, by name."""
    found = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    return sorted(node["metadata"]["name"] for node in found if _takes_pods(node))


def _takes_pods(node: dict[str, Any]) -> bool:
    spec, conditions = node["spec"], node["status"]["conditions"]
    barred = any(taint["effect"] in ("NoSchedule", "NoExecute") for taint in spec.get("taints", ()))
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and not barred and not spec.get("unschedulable", False)


def pods_on(kubectl: Kubectl, node: str) -> list[str]:
    """The namespace's running pods on a node that a drain would take."""
    return [pod["metadata"]["name"] for pod in kubectl.pods(STAYS) if _runs_on(pod) == node]


def stores(kubectl: Kubectl) -> dict[str, list[str]]:
    """The pods that have a volume of their own, by the node they are on; the volume may be tied to it."""
    found: dict[str, list[str]] = defaultdict(list)
    for pod in kubectl.pods(STAYS):
        node = _runs_on(pod)
        if node and any("persistentVolumeClaim" in volume for volume in pod["spec"].get("volumes", ())):
            found[node].append(pod["metadata"]["name"])
    return dict(found)


def _runs_on(pod: dict[str, Any]) -> str | None:
    ended = pod["status"].get("phase") in ("Succeeded", "Failed") or "deletionTimestamp" in pod["metadata"]
    return None if ended else pod["spec"].get("nodeName")


@contextlib.contextmanager
def cordoned(kubectl: Kubectl, node: str) -> Iterator[None]:
    """No new pod comes to the node during the block; whatever happens in it, afterwards they do again."""
    try:
        kubectl("cordon", node)
        yield
    finally:
        kubectl("uncordon", node)


def drain(kubectl: Kubectl, node: str, *, within_seconds: int) -> None:
    """Evict the namespace's pods from the node, as `kubectl drain` does: budgets are kept, and graces. Raises ClusterFailed."""
    leaving = pods_on(kubectl, node)
    if leaving:
        kubectl("label", "pods", *leaving, f"{MARK}={node}")
    wanted = ("--pod-selector", f"{MARK}={node}", "--ignore-daemonsets", "--delete-emptydir-data")
    kubectl("drain", node, *wanted, f"--timeout={within_seconds}s")
