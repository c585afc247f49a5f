"""What the tests of a cluster share: how big a drill is, where it is played, and what to do where something is missing."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console

from conductor import capstones
from conductor.capstone import Patience, Size
from conductor.cluster import install, nodes, removal
from conductor.cluster.installation import Installation
from conductor.cluster.kubectl import Kubectl
from conductor.cluster.nodes import Power
from conductor.cluster.runtime import KubernetesRuntime
from conductor.commands.drill import known
from conductor.errors import ClusterFailed
from conductor.harness import runner
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.drill import Drill
from conductor.harness.reporter import Reporter
from conductor.harness.runner import Played
from parts import part_of

REQUESTS = int(os.environ.get("E2E_ORDERS", "500"))
FULL, PER_SECOND = 2000, 10.0
"""With fewer orders than that a drill gets so many a second, and new pods find a core to start on."""

PATIENCE = Patience(total_seconds=900, quiet_seconds=90)


POWER = Power(os.environ.get("E2E_NODE_OFF"), os.environ.get("E2E_NODE_ON"))

PART = os.environ.get("E2E_PART", "1/1")
"""Which share of the drills is played: 2/3 is the second, the fifth, and so on of every three."""


def shared_out(names: tuple[str, ...], part: str = PART) -> tuple[str, ...]:
    """The names of this part. Raises ValueError for a part that is none."""
    return part_of(names, part)


def played_with(place: int) -> pytest.MarkDecorator:
    """A long test is played with what is at that place of the lists of drills."""
    here = place in part_of(range(place + 1), PART)
    return pytest.mark.skipif(not here, reason="another part of E2E_PART plays it")


def size(orders: int = REQUESTS) -> Size:
    """How big a drill of so many orders is."""
    return Size(orders, per_second=None if orders >= FULL else PER_SECOND)


def has_keda(kubectl: Kubectl) -> bool:
    """Whether the cluster knows ScaledObjects."""
    try:
        kubectl("get", "crd", "scaledobjects.keda.sh")
    except ClusterFailed:
        return False
    return True


def needs_two_nodes(kubectl: Kubectl, drill: str) -> None:
    """Skip a drill of nodes where one alone takes pods."""
    if drill in ("node-drain", "node-loss") and len(nodes.schedulable(kubectl)) < 2:
        missing(f"the cluster has one node that takes pods, {drill} needs two")


def missing(reason: str) -> None:
    """Skip what this cluster cannot show; CI's must be able to."""
    pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def played(runtime: KubernetesRuntime, drill: str | Drill, of: Size, patience: Patience = PATIENCE) -> Played:
    """What came of a drill of the capstone that this runtime has, by its name, or of one that was made for a test."""
    chosen = known(runtime.capstone)[drill] if isinstance(drill, str) else drill
    with Reporter(Console(highlight=False, width=160)) as reporter:
        told = runner.play_on_cluster(chosen, capstones.named(runtime.capstone), runtime, of, reporter, patience)
    sys.stdout.write(f"{json.dumps(told.as_json())}\n")  # for pytest's captured output, and -s
    return told


@contextlib.contextmanager
def beside(installation: Installation, capstone: str, *extra: str) -> Iterator[KubernetesRuntime]:
    """A capstone that is installed beside the orders for this block, with further arguments of helm."""
    wanted = Installation(installation.namespace, tag=installation.tag, extra=extra)
    install.deploy(wanted, [capstone], print)
    try:
        yield KubernetesRuntime(installation.namespace, installation.tag, power=POWER, capstone=capstone)
    finally:
        removal.undeploy(wanted, [capstone], print, platform=False, volumes=False)


@contextlib.contextmanager
def staged(runtime: KubernetesRuntime, orders: int = REQUESTS) -> Iterator[ClusterSession]:
    """A session with a judge, on what is installed and ready; a tenth to a fifth of the orders is open at a time."""
    runtime.wait_ready()
    with Reporter(Console(highlight=False, width=160)) as reporter:
        session = ClusterSession(capstones.named(runtime.capstone), runtime, size(orders), reporter, PATIENCE)
        with session.judged():
            yield session
