"""What the tests of a cluster share: how big a drill is, a stage to play on, and what to do where something is missing."""

import contextlib
import os
from collections.abc import Iterator

import pytest
from rich.console import Console

from conductor.cluster_stage import ClusterStage
from conductor.runtimes.kubernetes import KubernetesRuntime
from conductor.story import Story
from conductor.watch import Patience, Size

ORDERS = int(os.environ.get("E2E_ORDERS", "500"))
FULL = 2000
PATIENCE = Patience(total_seconds=900, quiet_seconds=90)


def size(orders: int = ORDERS) -> Size:
    """Of a drill with so many orders. Fewer than a full drill's come more slowly, and fewer of them are open at a time: what orders cost is
    missing to the pods that start."""
    return Size(orders) if orders >= FULL else Size(orders, per_second=10.0, wanted_open=max(5, orders // 25))


def missing(reason: str) -> None:
    """Skip what this cluster cannot show; CI's must be able to."""
    pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@contextlib.contextmanager
def staged(runtime: KubernetesRuntime, orders: int = ORDERS) -> Iterator[ClusterStage]:
    """A stage with a judge, on what is installed and ready."""
    runtime.wait_ready()
    with Story(Console(highlight=False, width=160)) as story:
        stage = ClusterStage(runtime, size(orders), story, PATIENCE)
        with stage.judged():
            yield stage
