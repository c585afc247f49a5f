"""Every drill of the cluster, judged from ledgers by a Job inside it; those of ELSEWHERE a capstone of the tests has.

Those of BY_HAND need another installation than this one: docs/drills.md has their commands and what they said.
"""

import json
from collections.abc import Callable

import pytest
from playing import needs_two_nodes, shared_out

from conductor import capstones
from conductor.cluster import install
from conductor.cluster.installation import Installation
from conductor.cluster.names import Names
from conductor.cluster.runtime import KubernetesRuntime
from conductor.commands.drill import known
from conductor.harness.runner import Played

IN_A_CLUSTER = (
    "bad-deploy",
    "blue-green",
    "broker-restart",
    "canary",
    "mixed-versions",
    "node-drain",
    "node-loss",
    "rolling-deploy",
    "scale-in-while-busy",
    "worker-kill",
)
ELSEWHERE = {"poison-message"}
BY_HAND = {"rabbitmq-node-kill"}


def test_every_drill_of_a_cluster_is_played_here() -> None:
    played = {name: drill for name, drill in known("orders").items() if "kubernetes" in drill.runtimes}
    lacks = capstones.named("orders").lacks
    fitting = {name for name, drill in played.items() if not lacks.keys() & set(drill.needs)}
    assert {*IN_A_CLUSTER} | ELSEWHERE | BY_HAND == fitting


def test_fifty_orders_are_delivered_without_an_error(installation: Installation) -> None:
    ended = install.smoke(installation, Names("orders"), 50)

    told = json.loads(ended.output.splitlines()[-1])
    assert (0, 50, 0) == (ended.status, told["orders"], told["errors"])


def test_a_process_of_a_pod_finds_its_modules_compiled(runtime: KubernetesRuntime) -> None:
    imported = "python -v -c 'import orders.app, chassis.schema_upgrade' 2>&1"

    said = runtime.inside("deployment/orders-api", "sh", "-c", imported).splitlines()

    loaded = [line for line in said if "code object from" in line]
    sources = [line for line in loaded if ".pyc" not in line]
    assert len(loaded) > 500
    assert len(sources) < 10, sources  # what is tried and cannot be imported


@pytest.mark.parametrize("name", shared_out(IN_A_CLUSTER))
def test_nothing_is_lost_or_doubled_in_a_cluster(
    installation: Installation, play: Callable[[str], Played], name: str
) -> None:
    needs_two_nodes(installation.kubectl, name)

    played = play(name)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)


def test_deploying_again_without_a_change_rolls_no_pod(installation: Installation) -> None:
    def pods() -> set[str]:
        selector = "app.kubernetes.io/instance=orders,app.kubernetes.io/component!=migrate"
        return set(installation.kubectl("get", "pods", "--selector", selector, "--output", "name").split())

    before = pods()
    install.install_release(installation, Names("orders"))

    assert before == pods()
