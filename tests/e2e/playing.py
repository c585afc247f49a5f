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
PATIENCE = Patience(total_seconds=900, quiet_seconds=90)


def missing(reason: str) -> None:
    """Skip what this cluster cannot show; CI's must be able to."""
    pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@contextlib.contextmanager
def staged(runtime: KubernetesRuntime, orders: int = ORDERS) -> Iterator[ClusterStage]:
    """A stage with a judge, on what is installed and ready; a tenth to a fifth of the orders is open at a time."""
    runtime.wait_ready()
    with Story(Console(highlight=False, width=160)) as story:
        stage = ClusterStage(runtime, Size(orders), story, PATIENCE)
        with stage.judged():
            yield stage
