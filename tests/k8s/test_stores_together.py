"""What has a volume is drawn to one node, so that another one can be drained or lost and no volume with it."""

from collections.abc import Callable

import pytest
from tests.k8s.conftest import Object

Render = Callable[[str], list[Object]]
SERVERS = {"key": "app.kubernetes.io/component", "operator": "In", "values": ["broker", "store", "database", "outside"]}
NEAR_THEM = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchExpressions": [SERVERS]}}


@pytest.mark.parametrize("folder", ["kind", "../analytics", "../trading"])
def test_a_pod_with_a_volume_prefers_the_node_of_the_servers(folder: str, rendered: Render) -> None:
    pods = [
        each["spec"]["template"]["spec"]
        for each in rendered(folder)
        if each["kind"] == "StatefulSet" and "volumeClaimTemplates" in each["spec"]
    ]

    preferred = [pod["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] for pod in pods]

    assert preferred
    assert [[{"weight": 100, "podAffinityTerm": NEAR_THEM}]] * len(pods) == preferred
