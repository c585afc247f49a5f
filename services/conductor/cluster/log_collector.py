"""What reads the logs of the nodes. It is in a namespace beside the platform's, because it sees a folder of its node."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from conductor.cluster import overlays
from conductor.cluster.installation import PLATFORM, Installation, Tell
from conductor.cluster.kubectl import run
from conductor.cluster.names import OVERLAYS
from conductor.run_directory import CHECKOUT

FOLDER = "node-logs"
"""Of an overlay that has a store for logs."""


def bring(wanted: Installation, tell: Tell) -> None:
    """Bring it where the overlay has a store for the logs; take it away where the overlay has none."""
    source = _source(wanted)
    if not source.is_dir():
        remove(wanted)
        return
    tell(f"logs of the nodes: {os.path.relpath(source, CHECKOUT)}")
    apart = beside(wanted)
    overlays.apply(apart, source, _whose_pods(wanted))
    apart.kubectl.await_rolled_out("daemonset/log-collector", within_seconds=wanted.within_seconds)


def rendered(wanted: Installation) -> str:
    """Its objects as YAML."""
    return overlays.rendered(beside(wanted), _source(wanted), _whose_pods(wanted))


def remove(wanted: Installation) -> None:
    """Take its namespace away; one of that name that is somebody else's stays."""
    selector = f"kubernetes.io/metadata.name={beside(wanted).namespace},{PLATFORM}"
    run(["kubectl", "delete", "namespace", "--selector", selector, "--ignore-not-found", "--wait"])


def beside(wanted: Installation) -> Installation:
    """The same installation, in the namespace beside it that reads its pods' logs."""
    return replace(wanted, namespace=f"{wanted.namespace}-logs")


def _source(wanted: Installation) -> Path:
    return OVERLAYS / wanted.overlay / FOLDER


def _whose_pods(wanted: Installation) -> Mapping[str, object]:
    """The patch that tells it whose pods are meant."""
    variable = {"name": "APPLICATION_NAMESPACE", "value": wanted.namespace}
    template = {"spec": {"containers": [{"name": "collector", "env": [variable]}]}}
    of = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "log-collector"}}
    return {"patch": yaml.safe_dump({**of, "spec": {"template": template}})}
