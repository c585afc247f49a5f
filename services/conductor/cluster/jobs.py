"""Runs a program of the conductor's image inside the cluster, as a Job: what it says comes back, a port-forward could not break it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conductor.cluster.kubectl import Kubectl
from conductor.errors import ClusterFailed
from conductor.waiting import until

USER = 10001
KEPT_SECONDS = 600
"""A Job that has ended is removed after this, with its pod and its logs."""

STARTED_WITHIN_SECONDS = 120

NEAR_SERVERS = {
    "weight": 100,
    "podAffinityTerm": {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {
            "matchExpressions": [
                {"key": "app.kubernetes.io/component", "operator": "In", "values": ["broker", "store", "database"]}
            ]
        },
    },
}


@dataclass(frozen=True, slots=True)
class Program:
    """`argv` in the image's container, with the environment of a Secret of the namespace, and single keys of others by variable.

    `cpu` is what it asks for: its share of a node that has none to spare.
    """

    name: str
    argv: Sequence[str]
    image: str
    secret: str
    within_seconds: int = 300
    keys: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    cpu: str = "50m"


@dataclass(frozen=True, slots=True)
class Ended:
    """What a Job's container said, stdout and stderr together, and its exit status."""

    status: int
    output: str


def manifest(program: Program) -> dict[str, Any]:
    """The Job: tried once, as nobody, with nothing of the node. Its pods are named `conductor`, which the platform lets in."""
    labels = {
        "app.kubernetes.io/name": "conductor",
        "app.kubernetes.io/component": program.name,
        "app.kubernetes.io/part-of": "celery-capstones",
    }
    container = {
        "name": "conductor",
        "image": program.image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(program.argv),
        "envFrom": [{"secretRef": {"name": program.secret}}],
        "env": [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
            for name, (secret, key) in program.keys.items()
        ],
        "resources": {"requests": {"cpu": program.cpu, "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {
        "restartPolicy": "Never",
        # Near the servers that it reads: who loses another node does not lose the judge.
        "affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [NEAR_SERVERS]}},
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return job(f"conductor-{program.name}-", labels, pod, within_seconds=program.within_seconds)


def job(prefix: str, labels: Mapping[str, str], pod: Mapping[str, Any], *, within_seconds: int) -> dict[str, Any]:
    """A Job of this pod, tried once; its name begins with `prefix`."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": prefix, "labels": dict(labels)},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": within_seconds,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {"metadata": {"labels": dict(labels)}, "spec": dict(pod)},
        },
    }


def start(kubectl: Kubectl, program: Program) -> str:
    """Make its Job; the name, as `job.batch/NAME`."""
    return _made(kubectl, manifest(program))


def _made(kubectl: Kubectl, wanted: Mapping[str, Any]) -> str:
    return kubectl("create", "--filename", "-", "--output", "name", given=json.dumps(wanted)).strip()


def pods_of(kubectl: Kubectl, made: str) -> list[dict[str, Any]]:
    """The pods of a Job that was started: none yet, or one."""
    return kubectl.pods(f"batch.kubernetes.io/job-name={made.partition('/')[2]}")


def run(kubectl: Kubectl, program: Program) -> Ended:
    """Run it to its end. Raises ClusterFailed when it never started, or had to be ended."""
    return run_job(kubectl, manifest(program))


def run_job(kubectl: Kubectl, wanted: Mapping[str, Any]) -> Ended:
    """Run a Job of one container to its end. Raises ClusterFailed as `run` does."""
    within_seconds = int(wanted["spec"]["activeDeadlineSeconds"])
    made = _made(kubectl, wanted)
    pods: list[dict[str, Any]] = []

    def ended() -> bool:
        pods[:] = pods_of(kubectl, made)
        return bool(pods) and pods[0]["status"].get("phase") in ("Succeeded", "Failed")

    if not until(ended, within_seconds=within_seconds + STARTED_WITHIN_SECONDS, every_seconds=0.5):
        raise ClusterFailed(f"{made} did not end: {_waits_for(pods)}")
    state = pods[0]["status"].get("containerStatuses", [{}])[0].get("state", {}).get("terminated")
    if state is None:
        raise ClusterFailed(f"{made} was ended after {within_seconds} s")
    return Ended(int(state["exitCode"]), kubectl("logs", "--pod-running-timeout=20s", pods[0]["metadata"]["name"]))


def _waits_for(pods: Sequence[Mapping[str, Any]]) -> str:
    """What the pod's container waits for, in Kubernetes' words."""
    for pod in pods:
        for container in pod["status"].get("containerStatuses", []):
            waiting = container["state"].get("waiting")
            if waiting:
                return f"{waiting.get('reason')}: {waiting.get('message', '')}"
    return "it has no pod" if not pods else "its pod still runs"
