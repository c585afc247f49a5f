"""The Redis Cluster that the overlay `sharded` gives the analytics: three primaries with addresses that stay, formed once. In
`sharded-replicas` each has a replica."""

import subprocess
from collections.abc import Callable

import pytest
import yaml
from tests.k8s.conftest import CHECKOUT, Object
from tests.k8s.test_analytics_platform import configuration, one
from tests.k8s.test_manifests import PINNED, containers

from conductor import redis_cluster
from conductor.capstone import load
from conductor.cluster import secrets
from conductor.cluster.names import Names

Render = Callable[[str], list[Object]]
NODES = [f"counters-cluster-{number}" for number in range(3)]
VALUES, WITH_REPLICAS = (
    CHECKOUT / "k8s" / "overlays" / overlay / "analytics-values.yaml" for overlay in ("sharded", "sharded-replicas")
)


@pytest.fixture
def objects(rendered: Render) -> list[Object]:
    return rendered("sharded/analytics")


def nodes(objects: list[Object]) -> Object:
    return one(objects, "StatefulSet", "counters-cluster")


def test_it_has_the_servers_that_the_analytics_are_told_of(objects: list[Object]) -> None:
    (store,) = load("analytics").stores
    url = secrets.own_store_url(store, {"password": "word"}, Names("analytics").settings_of("sharded"))
    services = {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "Service"}

    assert [f"redis://:word@{name}:6379/0" for name in NODES] == url.split(",")
    assert (3, set(NODES)) == (nodes(objects)["spec"]["replicas"], services.keys())
    assert NODES == [services[name]["selector"]["statefulset.kubernetes.io/pod-name"] for name in NODES]
    assert all(services[name]["publishNotReadyAddresses"] for name in NODES)


def test_every_write_is_on_disk_and_a_dead_node_costs_its_own_slots(objects: list[Object]) -> None:
    said = configuration(objects)
    start = one(objects, "ConfigMap", "counters")["data"]["start.sh"]

    assert ("always", "noeviction") == (said["appendfsync"], said["maxmemory-policy"])
    assert "--cluster-require-full-coverage no" in start
    assert '--cluster-announce-ip "$address"' in start
    # The pod's name alone is its host name, and leads to the address that does not stay.
    assert 'getent hosts "$POD_NAME.$POD_NAMESPACE.svc"' in start


def test_the_nodes_reach_each_other_and_the_analytics_reach_them(objects: list[Object]) -> None:
    labels = nodes(objects)["spec"]["template"]["metadata"]["labels"]
    between = one(objects, "NetworkPolicy", "counters-nodes")["spec"]
    egress = yaml.safe_load(VALUES.read_text())["networkPolicy"]["egress"]["counters"]
    ports = [{"port": "redis"}, {"port": "bus"}]

    assert between["podSelector"]["matchLabels"].items() <= labels.items()
    assert [ports, ports] == [between["ingress"][0]["ports"], between["egress"][0]["ports"]]
    assert egress["podLabels"].items() <= labels.items()


def test_it_is_formed_by_a_job_that_names_the_nodes_and_whose_pod_reaches_them(objects: list[Object]) -> None:
    pod = one(objects, "Job", "counters-cluster")["spec"]["template"]
    (container,) = pod["spec"]["containers"]

    assert ["python", "-m", redis_cluster.__name__] == container["command"]
    assert NODES == container["args"]
    assert "counters" == pod["metadata"]["labels"]["app.kubernetes.io/component"]


def test_the_servers_run_under_the_restricted_profile_with_pinned_images(objects: list[Object]) -> None:
    expected = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}

    assert [(expected, True)] * 2 == [
        (container["securityContext"], container["image"] in PINNED) for _, container in containers(objects)
    ]


def test_a_pool_counts_each_shard(helm: str) -> None:
    line = [helm, "template", "analytics", str(CHECKOUT / "charts" / "analytics"), "--values", str(VALUES)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    found = [each for each in yaml.safe_load_all(done.stdout) if each and each["kind"] == "Deployment"]
    counting = {each["metadata"]["name"] for each in found if "aggregate" in each["metadata"]["name"]}

    assert {"analytics-aggregate", "analytics-aggregate-1", "analytics-aggregate-2"} == counting


def test_each_primary_can_have_a_replica_that_a_flush_waits_for(rendered: Render) -> None:
    objects = rendered("sharded-replicas/analytics")
    services = {each["metadata"]["name"] for each in objects if each["kind"] == "Service"}
    script = one(objects, "Job", "counters-replicas")["spec"]["template"]["spec"]["containers"][0]["command"][-1]
    plain, replicated = (yaml.safe_load(values.read_text()) for values in (VALUES, WITH_REPLICAS))
    plain["settings"]["countersReplicas"] = 1

    assert {f"counters-cluster-{number}" for number in range(6)} == services
    assert 6 == nodes(objects)["spec"]["replicas"]
    assert plain == replicated
    assert 0 == subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode
