"""An installation of an earlier checkout can be brought to this one: nothing that Kubernetes never changes is changed, and what has
another name now goes.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.k8s.conftest import CHECKOUT, OVERLAYS, Object

from conductor.cluster import overlays
from conductor.cluster.installation import Installation

Render = Callable[[str], list[Object]]
FILE = Path(__file__).parent / "immutable.yaml"
KNOWN = yaml.safe_load(FILE.read_text())
FOLDERS = [
    *OVERLAYS,
    *(
        str(path.parent.relative_to(path.parents[2]))
        for path in (CHECKOUT / "k8s" / "overlays").glob("*/*/kustomization.yaml")
    ),
]
WATCHED = ("observability", "observability-jaeger")


def immutable(workload: Object) -> dict[str, Any]:
    """What the API server lets nobody change, in a few words."""
    spec = workload["spec"]
    found = {"selector": {key.rpartition("/")[2]: value for key, value in spec["selector"]["matchLabels"].items()}}
    if workload["kind"] == "StatefulSet":
        claims = spec.get("volumeClaimTemplates", [])
        found["service"] = spec["serviceName"]
        found["started"] = spec.get("podManagementPolicy", "OrderedReady")
        found["claims"] = {one["metadata"]["name"]: one["spec"]["resources"]["requests"]["storage"] for one in claims}
    return found


def test_what_kubernetes_never_changes_stays_as_it_was_first_deployed(rendered: Render) -> None:
    made = {
        f"{one['kind']}/{one['metadata']['name']}": immutable(one)
        for folder in FOLDERS
        for one in rendered(folder)
        if one["kind"] in ("DaemonSet", "Deployment", "StatefulSet")
    }

    assert {} == {name: found for name, found in made.items() if KNOWN.get(name) != found}, (
        f"a new one belongs into {FILE}"
    )


class Cluster:
    """kubectl for a namespace with these objects; of what it is given it says the names."""

    namespace = "capstones"

    def __init__(self, *objects: str) -> None:
        self._objects = objects
        self.deleted: list[str] = []

    def __call__(self, *arguments: str, given: str = "") -> str:
        if arguments[0] == "delete":
            self.deleted += arguments[1:-1]
            return ""
        if arguments[-1] == "json":
            return json.dumps({"items": []})
        if "--filename" not in arguments:
            return "\n".join(self._objects) if "--selector" in arguments else ""
        named = {"Deployment": "deployment.apps", "StatefulSet": "statefulset.apps"}
        return "\n".join(
            f"{named.get(one['kind'], one['kind'].lower())}/{one['metadata']['name']}"
            for one in yaml.safe_load_all(given)
        )


@pytest.mark.parametrize("overlay", WATCHED)
def test_an_upgrade_removes_the_exporter_that_had_another_selector(
    kubectl: str, overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = ("deployment.apps/orders-database-exporter", "service/orders-database-exporter", "deployment.apps/prometheus")
    cluster = Cluster("deployment.apps/orders-exporter", "service/orders-exporter", *new)
    monkeypatch.setenv("CAPSTONE_RUN_DIR", str(tmp_path))
    monkeypatch.setattr(Installation, "kubectl", property(lambda self: cluster))

    assert ["deployment.apps/orders-exporter", "service/orders-exporter"] == overlays.prune(
        Installation(overlay=overlay), ["orders"]
    )
    assert ["deployment.apps/orders-exporter", "service/orders-exporter"] == cluster.deleted
