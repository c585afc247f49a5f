"""A pool is one thing on a laptop and in a cluster: the same command line, queues, limits, time to end and signal."""

import importlib
import sys
from pathlib import Path

import pytest
import yaml

from chart_rendering import CHARTS, NAMES, ORDERS, Helm, Object, container_of, only, pod_of
from conductor import pools
from conductor.pools import Broker, Pool

POOLS = {
    f"{chart}/{name}": pool for chart in NAMES for name, pool in pools.load(CHARTS / chart / "values.yaml").items()
}
"""All pools of all charts, by CHART/POOL."""
BROKERS: dict[str, Broker] = {"rabbitmq": "rabbitmq", "redis": "valkey"}
"""What the chart calls a broker, and the laptop runtime."""


def workload(helm: Helm, pool: str, broker: str = "rabbitmq") -> Object:
    chart = pool.partition("/")[0]
    return only(helm.render(f"{chart}/", values={"broker": broker}), POOLS[pool].kind, pool.replace("/", "-"))


def laptop(pool: Pool, broker: Broker, chart: str = "orders") -> list[str]:
    """The laptop's command line, with what differs by nature: the interpreter, the name, and where beat keeps its file."""
    line = pools.command(
        pool, broker, app=f"{chart}.app", hostname=f"{pool.name}@$(POD_NAME)", schedule=Path("/run/app/schedule")
    )
    return ["python" if word == sys.executable else word for word in line]


@pytest.mark.parametrize("broker", BROKERS)
@pytest.mark.parametrize("pool", POOLS)
def test_the_command_line_is_the_same(helm: Helm, pool: str, broker: str) -> None:
    expected = laptop(POOLS[pool], BROKERS[broker], pool.partition("/")[0])

    assert expected == container_of(workload(helm, pool, broker))["command"]


@pytest.mark.parametrize("own", [{"maxMemoryPerChildKib": 150_000}, {"poolType": "threads"}, {"prefetch": 3}])
def test_what_a_pool_says_more_is_the_same(helm: Helm, own: dict[str, object]) -> None:
    pool = POOLS["orders/saga"].model_dump(by_alias=True, exclude={"name"}, exclude_none=True)
    expected = laptop(pools.parse({"pools": {"saga": {**pool, **own}}})["saga"], "rabbitmq")

    assert (
        expected
        == container_of(only(helm.render(values={"pools": {"saga": own}}), "Deployment", "orders-saga"))["command"]
    )


@pytest.mark.parametrize("pool", POOLS)
def test_the_time_to_end_is_the_same(helm: Helm, pool: str) -> None:
    assert POOLS[pool].grace_seconds == pod_of(workload(helm, pool))["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("pool", POOLS)
def test_the_number_of_processes_is_the_same(helm: Helm, pool: str) -> None:
    assert POOLS[pool].replicas == workload(helm, pool)["spec"]["replicas"]


@pytest.mark.parametrize("pool", POOLS)
def test_the_signal_is_the_same(helm: Helm, pool: str) -> None:
    lifecycle = container_of(workload(helm, pool)).get("lifecycle", {})
    told = container_of(workload(helm, pool))["env"]

    assert "stopSignal" not in lifecycle  # then it is SIGTERM, which is also what the laptop's supervisor sends
    assert "REMAP_SIGTERM" not in [one["name"] for one in told]


def test_a_new_pool_touches_one_file(helm: Helm, tmp_path: Path) -> None:
    """Written into values.yaml it is a pool of the laptop, and has all of its objects in a cluster."""
    returns = {"role": "worker", "queues": ["orders.returns"], "concurrency": 3, "autoscaling": {"by": "queue"}}
    values = (ORDERS / "values.yaml").read_text().replace("\nqueues:\n", "\nqueues:\n  orders.returns: true\n") + (
        "\n  returns:\n    role: worker\n    queues: [orders.returns]\n    concurrency: 3\n    autoscaling:\n      by: queue\n"
    )
    (tmp_path / "values.yaml").write_text(values)
    known = {(one["kind"], one["metadata"]["name"]) for one in helm.render()}

    added = {
        (one["kind"], one["metadata"]["name"])
        for one in helm.render(values={"queues": {"orders.returns": True}, "pools": {"returns": returns}})
    } - known

    assert pools.load(tmp_path / "values.yaml")["returns"].queues == ("orders.returns",)
    assert added == {
        ("Deployment", "orders-returns"),
        ("PodDisruptionBudget", "orders-returns"),
        ("ScaledObject", "orders-returns"),
        ("TriggerAuthentication", "orders-scaler"),
    }


@pytest.mark.parametrize("chart", NAMES)
def test_every_queue_of_the_service_is_consumed_by_a_pool(chart: str) -> None:
    known = importlib.import_module(f"{chart}.queues").QUEUES
    consumed = [queue for name, pool in POOLS.items() if name.startswith(f"{chart}/") for queue in pool.queues]

    assert sorted(known) == sorted(consumed)
    assert dict.fromkeys(known, True) == yaml.safe_load((CHARTS / chart / "values.yaml").read_text())["queues"]


def test_a_queue_of_batches_has_a_pool_as_its_consumer_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "BROKER_URL", "COUNTERS_URL"):
        monkeypatch.setenv(name, {"D": "postgresql+psycopg://a@b/c", "B": "amqp://b/c", "C": "redis://c/0"}[name[0]])
    queues = importlib.import_module("analytics.app").app.batch_queues
    consumers = [pool for pool in POOLS.values() if set(pool.queues) & set(queues)]

    assert sorted((name,) for name in queues) == sorted(pool.queues for pool in consumers)
    assert {("solo", 1)} == {(pool.pool_type, pool.concurrency) for pool in consumers}
