"""The trading service by its chart, beside what else is installed: orders are taken, and what breaks its shard loses none."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
from playing import beside, needs_two_nodes, played, shared_out

from conductor.capstone import Size
from conductor.cluster import install
from conductor.cluster.installation import Installation
from conductor.cluster.names import Names
from conductor.cluster.runtime import KubernetesRuntime

TRADING = Names("trading")
ORDERS, PER_SECOND = 300, 50.0
DRILLS = shared_out(
    (
        "pod-eviction",
        "rolling-deploy",
        "node-loss",
        "engine-kill",
        "disk-full",
        "owner-kill",
        "feed-gap",
        "engine-stall",
    )
)
NOT_WITH_THE_STORES = {
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 100,
                "podAffinityTerm": {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "database"}},
                },
            }
        ]
    }
}
"""So that the loss of a node is that of the engine, and of no store that this test's cluster has on another one."""

SMALL = ("--set=settings.journalSegmentBytes=1048576", "--set=pools.portfolio.resources.requests.cpu=100m")
"""What disk-full asks for, so that no pod is replaced for it, and room for all pods on one node of two cores when the other is lost."""


@pytest.fixture(scope="module")
def trading(installation: Installation) -> Iterator[KubernetesRuntime]:
    """The trading service, installed beside the orders; taken away after the tests of this file."""
    apart = f"pools.engine.affinity={json.dumps(NOT_WITH_THE_STORES)}"
    with beside(installation, TRADING.capstone, *SMALL, "--set-json", apart) as runtime:
        yield runtime


def test_orders_are_taken_and_come_to_the_positions(trading: KubernetesRuntime, installation: Installation) -> None:
    ended = install.smoke(installation, TRADING, 20)

    told = json.loads(ended.output.splitlines()[-1])
    assert (0, 20, 0) == (ended.status, told["orders"], told["errors"])
    assert told["executed"] > 0


@contextmanager
def away(installation: Installation, capstone: str) -> Iterator[None]:
    """A capstone has no pod during the block: the node that is left when another one loses its power has no room for two of them."""
    kubectl = installation.kubectl
    workloads = kubectl.workloads(f"app.kubernetes.io/instance={Names(capstone).release}")
    before = {name: kubectl("get", name, "--output", "jsonpath={.spec.replicas}") for name in workloads}
    try:
        kubectl("scale", *workloads, "--replicas=0")
        yield
    finally:
        for name, replicas in before.items():
            kubectl("scale", name, f"--replicas={replicas}")
        kubectl.await_rolled_out(*workloads, within_seconds=installation.within_seconds)


@pytest.mark.parametrize("name", DRILLS)
def test_nothing_acknowledged_is_lost_and_nothing_executes_twice(
    trading: KubernetesRuntime, installation: Installation, name: str
) -> None:
    needs_two_nodes(trading.kubectl, name)

    with away(installation, "orders") if name == "node-loss" else nullcontext():
        told = played(trading, name, Size(ORDERS, per_second=PER_SECOND))

    assert (True, None, ()) == (told.sound, told.failure, told.findings)
    assert told.verdict is not None
    assert told.verdict.accepted >= ORDERS
