"""Which nodes may be drained, and which pods leave: as Kubernetes describes them."""

import json
from pathlib import Path
from typing import Any

import pytest

from conductor.cluster import nodes
from conductor.cluster.nodes import Power
from conductor.errors import ClusterFailed, Refused

READY = [{"type": "Ready", "status": "True"}]


class Cluster:
    """kubectl for a cluster in memory; keeps what it was told."""

    namespace = "here"

    def __init__(
        self, *nodes: dict[str, Any], pods: list[dict[str, Any]] | None = None, stubborn: bool = False
    ) -> None:
        self._nodes, self._pods, self._stubborn = nodes, pods or [], stubborn
        self.told: list[tuple[str, ...]] = []

    def __call__(self, *arguments: str, **_: Any) -> str:
        self.told.append(arguments)
        if self._stubborn and arguments[0] == "drain":
            raise ClusterFailed("cannot evict pod")
        return json.dumps({"items": self._nodes})

    def pods(self, selector: str) -> list[dict[str, Any]]:
        assert selector == nodes.STAYS
        return self._pods


def node(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec, "status": {"conditions": READY}}


def pod(name: str, on: str | None, *, phase: str = "Running", leaving: bool = False, claims: bool = False) -> Any:
    volume = {"name": "data", **({"persistentVolumeClaim": {"claimName": "data"}} if claims else {"emptyDir": {}})}
    metadata = {"name": name, **({"deletionTimestamp": "now"} if leaving else {})}
    return {"metadata": metadata, "spec": {"nodeName": on, "volumes": [volume]}, "status": {"phase": phase}}


def test_a_node_that_is_tainted_cordoned_or_not_ready_takes_no_pods() -> None:
    away = node("away") | {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
    cluster: Any = Cluster(
        node("master", taints=[{"key": "control-plane", "effect": "NoSchedule"}]),
        node("cordoned", unschedulable=True),
        away,
        node("soft", taints=[{"key": "rather-not", "effect": "PreferNoSchedule"}]),
        node("free"),
    )

    assert ["free", "soft"] == nodes.schedulable(cluster)


def test_what_has_ended_leaves_or_waits_for_a_node_is_on_none() -> None:
    cluster: Any = Cluster(
        pods=[
            pod("works", "n"),
            pod("elsewhere", "m"),
            pod("done", "n", phase="Succeeded"),
            pod("goes", "n", leaving=True),
            pod("waits", None, phase="Pending"),
        ]
    )

    assert ["works"] == nodes.pods_on(cluster, "n")


def test_a_store_is_a_pod_with_a_claim() -> None:
    cluster: Any = Cluster(pods=[pod("db", "n", claims=True), pod("mail", "m", claims=True), pod("api", "n")])

    assert {"n": ["db"], "m": ["mail"]} == nodes.stores(cluster)


def test_a_drain_takes_the_pods_that_were_marked_and_no_others() -> None:
    cluster: Any = Cluster(pods=[pod("api", "n"), pod("saga", "m")])
    nodes.drain(cluster, "n", within_seconds=9)
    mark = "celery-capstones/drained-from=n"

    marked, drained = cluster.told
    assert ("label", "pods", "api", mark) == marked
    assert ("drain", "n", "--pod-selector", mark) == drained[:4]


def test_a_node_takes_pods_again_when_its_drain_failed() -> None:
    cluster: Any = Cluster(node("n"), pods=[pod("api", "n")], stubborn=True)
    with pytest.raises(ClusterFailed), nodes.cordoned(cluster, "n"):
        nodes.drain(cluster, "n", within_seconds=9)

    assert [("cordon", "n"), ("uncordon", "n")] == [cluster.told[0], cluster.told[-1]]


class OneNode:
    """kubectl for a cluster whose nodes are of one kind."""

    def __init__(self, provider: str = "", labels: dict[str, str] | None = None) -> None:
        self._node = {"metadata": {"labels": labels or {}}, "spec": {"providerID": provider}}

    def __call__(self, *_: str) -> str:
        return json.dumps(self._node)


@pytest.mark.parametrize(
    ("power", "cluster", "off", "on"),
    [
        (
            Power("ipmi --set 'power off'", "ipmi on"),
            OneNode("kind://docker/a/n"),
            ["ipmi", "--set", "power off", "n"],
            ["ipmi", "on", "n"],
        ),
        (Power(), OneNode("kind://docker/kind/n"), ["docker", "kill", "n"], ["docker", "start", "n"]),
        (
            Power(),
            OneNode(labels={"minikube.k8s.io/name": "p"}),
            ["minikube", "--profile", "p", "node", "stop", "n"],
            ["minikube", "--profile", "p", "node", "start", "n"],
        ),
    ],
)
def test_how_a_node_loses_its_power(power: Power, cluster: Any, off: list[str], on: list[str]) -> None:
    assert (off, on) == power.commands(cluster, "n")


@pytest.mark.parametrize("power", [Power(), Power("halt", None)])
def test_a_node_of_a_cluster_that_nobody_knows_is_not_powered_off(power: Power) -> None:
    cluster: Any = OneNode("aws:///eu/i-1")
    with pytest.raises(Refused, match=r"how is n powered off.*--node-off and --node-on"):
        power.commands(cluster, "n")


def test_a_node_has_its_power_back_when_the_drill_failed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    power = Power(f"sh -c 'echo off $0 >> {log}'", f"sh -c 'echo on $0 >> {log}'")
    cluster: Any = OneNode()
    with pytest.raises(ClusterFailed), nodes.powered_off(cluster, "n", power):
        raise ClusterFailed("in vain")

    assert ["off n", "on n"] == log.read_text().splitlines()
