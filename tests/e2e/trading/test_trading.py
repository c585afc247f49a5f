"""The trading service by its chart, beside what else is installed: orders are taken, and what breaks its shard loses none."""

import json
from collections.abc import Iterator

import pytest
from playing import beside, played, shared_out

from conductor.capstone import Size
from conductor.cluster import install
from conductor.cluster.install import Installation
from conductor.cluster.names import Names
from conductor.cluster.runtime import KubernetesRuntime

TRADING = Names("trading")
ORDERS, PER_SECOND = 300, 50.0
DRILLS = shared_out(("pod-eviction", "rolling-deploy", "engine-stall", "engine-kill"))


@pytest.fixture(scope="module")
def trading(installation: Installation) -> Iterator[KubernetesRuntime]:
    """The trading service, installed beside the orders; taken away after the tests of this file."""
    with beside(installation, TRADING.capstone) as runtime:
        yield runtime


def test_orders_are_taken_and_come_to_the_positions(trading: KubernetesRuntime, installation: Installation) -> None:
    ended = install.smoke(installation, TRADING, 20)

    told = json.loads(ended.output.splitlines()[-1])
    assert (0, 20, 0) == (ended.status, told["orders"], told["errors"])
    assert told["executed"] > 0


@pytest.mark.parametrize("name", DRILLS)
def test_nothing_acknowledged_is_lost_and_nothing_executes_twice(trading: KubernetesRuntime, name: str) -> None:
    told = played(trading, name, Size(ORDERS, per_second=PER_SECOND))

    assert (True, None, ()) == (told.sound, told.failure, told.findings)
    assert told.verdict is not None
    assert told.verdict.accepted >= ORDERS
