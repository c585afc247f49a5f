"""The table of what pods take: read from kubectl, judged against their limits, written where the last one was."""

from pathlib import Path
from typing import Any

import pytest

from conductor.cluster import resource_usage
from conductor.cluster.resource_usage import Soak
from conductor.errors import ClusterFailed, DrillFailed

RESOURCES = {"requests": {"cpu": "150m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}


def pod(name: str, labels: dict[str, str], *, owner: str = "ReplicaSet") -> dict[str, Any]:
    """A pod as Kubernetes describes it, with one container."""
    metadata = {"name": name, "labels": labels, "ownerReferences": [{"kind": owner}]}
    return {"metadata": metadata, "spec": {"containers": [{"resources": RESOURCES}]}}


API = {"app.kubernetes.io/instance": "orders", "app.kubernetes.io/component": "api", "app.kubernetes.io/name": "orders"}
BROKER = {"app.kubernetes.io/name": "rabbitmq", "app.kubernetes.io/component": "broker"}


class Metrics:
    """kubectl whose metrics server says one thing after the other; None where it has no answer."""

    def __init__(self, *said: str | None) -> None:
        self._said = list(said)

    def pods(self, selector: str) -> list[dict[str, Any]]:
        judge = pod("judge", BROKER, owner="Job")
        return [pod("orders-api-1", API), pod("orders-api-2", API), pod("rabbitmq-0", BROKER), judge]

    def __call__(self, *arguments: str) -> str:
        said = self._said.pop(0)
        if said is None:
            raise ClusterFailed("metrics not available yet")
        return said


def soaked(*said: str | None) -> Soak:
    found = Soak()
    kubectl: Any = Metrics(*said)
    for _ in said:
        found.look(kubectl)
    return found


def test_the_peak_is_the_highest_of_any_pod_at_any_time() -> None:
    found = soaked("orders-api-1 20m 100Mi\norders-api-2 9m 90Mi", None, "orders-api-1 7m 120Mi\norders-api-2 5m 80Mi")

    assert (20, 120 * 2**20) == (found.taken["orders api"].peak_milli, found.taken["orders api"].peak_memory)
    assert (29, 200 * 2**20) == (found.all_milli, found.all_memory)


def test_jobs_and_strangers_do_not_count() -> None:
    assert {"rabbitmq"} == soaked("rabbitmq-0 1m 1Mi\njudge 500m 300Mi\nsomebody-else 1 1Gi").taken.keys()


@pytest.mark.parametrize(("used", "fits"), [("341Mi", True), ("342Mi", False)])
def test_a_limit_leaves_half_as_much_again(used: str, fits: bool) -> None:
    found = soaked(f"orders-api-1 1m {used}")

    assert fits == found.taken["orders api"].fits
    if fits:
        found.judge()
    else:
        with pytest.raises(DrillFailed, match="orders api used 342Mi of 512Mi"):
            found.judge()


def test_a_soak_that_saw_nothing_is_none() -> None:
    with pytest.raises(DrillFailed, match="metrics server"):
        soaked(None).judge()


@pytest.mark.parametrize(("text", "amount"), [("3Gi", 3 * 2**30), ("5M", 5 * 10**6), ("12", 12)])
def test_amounts_of_memory_are_bytes(text: str, amount: int) -> None:
    assert amount == resource_usage.bytes_of(text)


def test_an_unknown_amount_is_named() -> None:
    with pytest.raises(ClusterFailed, match="'7Qi'"):
        resource_usage.bytes_of("7Qi")


def test_the_table_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{resource_usage.BEGIN}\nold\n{resource_usage.END}\nafter\n")
    table = soaked("rabbitmq-0 20m 100Mi\norders-api-1 1500m 90Mi").table()

    resource_usage.written(table, readme)

    assert f"before\n{resource_usage.BEGIN}\n{table}\n{resource_usage.END}\nafter\n" == readme.read_text()
    assert "| orders api | 150m | 128Mi | 512Mi | 1500m | 90Mi |" in table
    assert "| **all, at once** | **0.30 cores** | **0.2 GiB** | | **1.52 cores** | **0.2 GiB** |" in table
