"""The namespace of one grading: made from k8s/lab, taken away with the grading, or by a later one when the grader was killed."""

import base64
import contextlib
import json
import os
import secrets
import socket
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import psutil
import yaml

from conductor.cluster import images, install
from conductor.cluster.kubectl import Kubectl, run
from conductor.errors import ClusterFailed
from conductor.run_directory import CHECKOUT
from grader.errors import Unable

PREFIX = "capstone-lab-"
LABEL = "celery-capstones/lab"
OWNER = "celery-capstones/grader"
"""The annotation that says whose a namespace is: host, pid, and when the process began."""

BEGAN_TOLERANCE_SECONDS = 5.0
"""Between two answers to when a process began: Linux counts from the boot, whose time moves with the clock."""

MOST_AGE = timedelta(hours=8)
"""No grading takes so long: twenty checks of ten minutes, with as much for their pods, are 6 h 40 min. An older one is nobody's."""

READY_SECONDS = 120
CALL_SECONDS = 60.0
"""For one call of kubectl: a cluster that does not answer is no fault of the learner's, and must not hold up a grading."""

TRIAL = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 443), 3)
except OSError:
    print("kept in")
"""


class Namespace:
    """Its door is ready when it was made. Raises Unable."""

    def __init__(self, tag: str) -> None:
        if not install.reachable():
            raise Unable("kubectl points to no cluster that answers")
        self.kubectl = Kubectl(f"{PREFIX}{secrets.token_hex(4)}", CALL_SECONDS)
        try:
            # Interrupted as well: nothing removes it while this process lives.
            with contextlib.ExitStack() as unmade:
                unmade.callback(self.end)
                self._create()
                _remove_leftovers(self.kubectl.namespace)
                self._furnish(tag)
                self.door = self.pod("app.kubernetes.io/name=door")
                self.address = self.kubectl("get", "service", "door", "--output", "jsonpath={.spec.clusterIP}")
                self.keeps_in = self._keeps_in()
                """Whether a pod that may call nobody reaches nobody: a cluster may hold network policies and enforce none."""
                unmade.pop_all()
        except ClusterFailed as error:
            raise Unable(str(error)) from error

    def pod(self, selector: str) -> str:
        """The name of the one pod with these labels."""
        return str(self.kubectl.pods(selector)[0]["metadata"]["name"])

    def end(self) -> None:
        """Take it away, with all that runs in it; nobody waits for it."""
        _remove(self.kubectl.namespace)

    def _create(self) -> None:
        made = yaml.safe_load((CHECKOUT / "k8s" / "base" / "namespace.yaml").read_text())
        made["metadata"] |= {"name": self.kubectl.namespace, "annotations": {OWNER: _me()}}
        made["metadata"]["labels"][LABEL] = "true"
        self.kubectl.create(made)

    def _furnish(self, tag: str) -> None:
        objects = run(["kubectl", "kustomize", str(CHECKOUT / "k8s" / "lab")])
        image = images.name("outside", tag)
        self.kubectl("apply", "--filename", "-", given=objects.replace(f"{images.PREFIX}/outside", image))
        self.kubectl.await_rolled_out("deployment/door", within_seconds=READY_SECONDS)

    def _keeps_in(self) -> bool:
        where = Kubectl("default", CALL_SECONDS)(
            "get", "service", "kubernetes", "--output", "jsonpath={.spec.clusterIP}"
        )
        return "kept in" in self.kubectl("exec", self.door, "--", "python", "-I", "-S", "-c", TRIAL, where)


def config_map(name: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """A ConfigMap's manifest."""
    data = {key: base64.b64encode(text).decode() for key, text in files.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "binaryData": data}


def _me() -> str:
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time():.0f}"


def _remove_leftovers(own: str) -> None:
    """Remove those of graders of this machine that live no more, and of any machine those that are older than any grading.

    Ages are told by the cluster's clock: `own` was made just now.
    """
    listed = run(["kubectl", "get", "namespaces", "--selector", LABEL, "--output", "json"], within_seconds=CALL_SECONDS)
    found = {one["metadata"]["name"]: one["metadata"] for one in json.loads(listed)["items"]}
    made = {name: datetime.fromisoformat(one["creationTimestamp"]) for name, one in found.items()}
    for name, one in found.items():
        if name != own and (made[own] - made[name] > MOST_AGE or _left(one.get("annotations", {}).get(OWNER, ""))):
            _remove(name)


def _left(owner: str) -> bool:
    """Whether a grader of this machine made it that lives no more."""
    host, _, rest = owner.partition(" ")
    pid, _, began = rest.partition(" ")
    return host == socket.gethostname() and not _lives(int(pid), began)


def _lives(pid: int, began: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return abs(psutil.Process(pid).create_time() - float(began)) < BEGAN_TOLERANCE_SECONDS
    return False


def _remove(namespace: str) -> None:
    with contextlib.suppress(ClusterFailed):
        run(
            ["kubectl", "delete", "namespace", namespace, "--ignore-not-found", "--wait=false"],
            within_seconds=CALL_SECONDS,
        )
