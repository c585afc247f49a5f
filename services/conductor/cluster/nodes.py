"""The nodes of a cluster as a drill drains them: its own namespace's pods leave, those of others stay where they are.

A drill is a guest. What else is on a node - the cluster's DNS, somebody else's pods, the judge of this drill - is not what it
is about, so the pods that have to leave are marked, and the drain takes only those.
"""

import contextlib
import json
import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conductor.cluster.kubectl import Kubectl, run
from conductor.errors import Refused

MARK = "celery-capstones/drained-from"
JUDGE = "app.kubernetes.io/component=judge"
STAYS = JUDGE.replace("=", "!=")
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


def of_judge(kubectl: Kubectl) -> set[str]:
    """The nodes that a judge runs on."""
    return {node for pod in kubectl.pods(JUDGE) if (node := _runs_on(pod))}


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


@dataclass(frozen=True, slots=True)
class Power:
    """The commands that cut a node's power and give it back; each gets the node's name as its last word.

    None: what kind or minikube has for it.
    """

    off_command: str | None = None
    on_command: str | None = None

    def commands(self, kubectl: Kubectl, node: str) -> tuple[list[str], list[str]]:
        """The words of both commands for a node. Refused when there are none and the cluster is neither kind nor minikube."""
        if self.off_command and self.on_command:
            return [*shlex.split(self.off_command), node], [*shlex.split(self.on_command), node]
        found = json.loads(kubectl("get", "node", node, "--output", "json"))
        if found["spec"].get("providerID", "").startswith("kind://"):
            return ["docker", "kill", node], ["docker", "start", node]
        if profile := found["metadata"].get("labels", {}).get("minikube.k8s.io/name"):
            return (
                ["minikube", "--profile", profile, "node", "stop", node],
                ["minikube", "--profile", profile, "node", "start", node],
            )
        raise Refused(
            f"how is {node} powered off? The cluster is neither kind nor minikube: give --node-off and --node-on, "
            "two commands that take a node's name"
        )


@contextlib.contextmanager
def powered_off(kubectl: Kubectl, node: str, power: Power) -> Iterator[None]:
    """The node has no power during the block; whatever happens in it, afterwards it has. Refused as Power.commands refuses."""
    off, on = power.commands(kubectl, node)
    try:
        run(off)
        yield
    finally:
        run(on)
