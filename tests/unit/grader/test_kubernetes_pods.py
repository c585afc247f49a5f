"""Pods that do not come are the cluster's fault, with a program that stands in for kubectl."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conductor.cluster.kubectl import Kubectl
from grader.adapters.kubernetes import box, running
from grader.adapters.kubernetes.running import Worker
from grader.errors import Unable

KUBECTL = """\
#!/bin/sh
case "$*" in
*--watch*) cat "{folder}/states"; exec sleep 60 ;;
*logs*) exec sleep 60 ;;
*"get pods"*) cat "{folder}/pods" ;;
*exec*--pod-running-timeout=1s*) exit 1 ;;
*exec*) exec sleep 60 ;;
esac
"""

NO_ROOM = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes are available"}
NO_IMAGE = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
PENDING = {"phase": "Pending", "conditions": [NO_ROOM]}
PULLING = {"phase": "Pending", "containerStatuses": [NO_IMAGE], "conditions": [{"type": "Ready", "status": "False"}]}
RUNNING = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}

WAITED_SECONDS = 30.0
"""Half of what kubectl waits for a pod to come, unless it is told otherwise."""

Cluster = Callable[..., Kubectl]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """One whose pods have these states, and of which a watch tells these lines."""

    def made(*statuses: dict[str, Any], watched: str = "") -> Kubectl:
        items = [{"metadata": {"name": f"pod-{number}"}, "status": one} for number, one in enumerate(statuses, 1)]
        (tmp_path / "pods").write_text(json.dumps({"items": items}))
        (tmp_path / "states").write_text(watched)
        program = tmp_path / "kubectl"
        program.write_text(KUBECTL.format(folder=tmp_path))
        program.chmod(0o700)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        return Kubectl("lab")

    return made


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([PENDING], "the pod pod-1 is Pending: Unschedulable 0/2 nodes are available"),
        ([PULLING], "the pod pod-1 is Pending: ImagePullBackOff no such image"),
        ([], "deployment/worker-1-code has no pod"),
    ],
)
def test_a_worker_whose_pod_does_not_come_is_not_the_learners_failure(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statuses: list[dict[str, Any]], said: str
) -> None:
    monkeypatch.setattr(running, "START_SECONDS", 0.5)
    kubectl = cluster(*statuses, watched="Pending <none> <none>\n" if statuses else "")

    with pytest.raises(Unable, match=f"after 0.5 s {said}"):
        Worker(kubectl, "worker-1", tmp_path / "output.txt")


def test_a_worker_that_ends_at_once_has_run(cluster: Cluster, tmp_path: Path) -> None:
    kubectl = cluster(RUNNING, watched="Pending <none> <none>\nRunning <none> <none>\nRunning 3 <none>\n")

    worker = Worker(kubectl, "worker-1", tmp_path / "output.txt")
    try:
        assert 3 == worker.wait(10)
    finally:
        worker.end()


def test_a_worker_whose_pod_is_gone_ends_without_waiting_for_another(cluster: Cluster, tmp_path: Path) -> None:
    worker = Worker(cluster(watched="Running 0 <none>\n"), "worker-1", tmp_path / "output.txt")
    began = time.monotonic()

    worker.end()

    assert time.monotonic() - began < WAITED_SECONDS


def test_a_check_that_fails_while_a_pod_waits_is_not_held_against_the_answer(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = cluster(RUNNING, PENDING)
    monkeypatch.setattr(box, "Namespace", lambda tag: SimpleNamespace(kubectl=kubectl, keeps_in=True))

    with pytest.raises(Unable, match="pod-2 is Pending"):
        box.KubernetesBox("dev").check()
    cluster(RUNNING)
    box.KubernetesBox("dev").check()
