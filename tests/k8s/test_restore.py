"""The Jobs of a restore in a cluster: made from the pods beside which they run, so that they have the same rights, volumes and settings."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.k8s.conftest import Object

from conductor.capstones.orders import cluster_reconciliation
from conductor.cluster import restore

Render = Callable[[str], list[Object]]
GOLDEN = Path(__file__).parents[1] / "charts" / "golden" / "orders" / "minimal.yaml"
TO = datetime(2026, 3, 1, 12, tzinfo=UTC)
RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


@pytest.fixture
def restoring(rendered: Render) -> Any:
    server = next(
        each for each in rendered("kind") if each["kind"] == "StatefulSet" and each["metadata"]["name"] == "postgres"
    )
    return restore.restoring(server, TO)


@pytest.fixture
def reconciling() -> Any:
    pool = next(
        each
        for each in yaml.safe_load_all(GOLDEN.read_text())
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "orders-payments"
    )
    return cluster_reconciliation.job(pool, ["python", "-m", "orders.reconciliation"]), pool


def test_the_restore_has_the_data_the_backups_and_the_scripts(restoring: Any) -> None:
    pod = restoring["spec"]["template"]["spec"]
    mounted = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}

    assert {
        "data": "/var/lib/postgresql",
        "backup": "/backup",
        "backup-scripts": "/etc/postgres-backup",
    }.items() <= mounted.items()
    assert mounted.keys() <= {volume["name"] for volume in pod["volumes"]}


def test_the_restore_is_one_restricted_container_that_runs_once(restoring: Any) -> None:
    pod = restoring["spec"]["template"]["spec"]

    assert [RESTRICTED] == [container["securityContext"] for container in pod["containers"]]
    assert ("Never", 0) == (pod["restartPolicy"], restoring["spec"]["backoffLimit"])
    assert ["sh", "/etc/postgres-backup/restore.sh", TO.isoformat()] == pod["containers"][0]["command"]


def test_nobody_takes_the_restore_for_the_database(restoring: Any, rendered: Render) -> None:
    service = next(
        each for each in rendered("kind") if each["kind"] == "Service" and each["metadata"]["name"] == "postgres"
    )
    labels = restoring["spec"]["template"]["metadata"]["labels"]

    assert not service["spec"]["selector"].items() <= labels.items()


def test_the_reconciliation_has_the_settings_and_the_image_of_a_pool(reconciling: Any) -> None:
    job, pool = reconciling
    ours, theirs = (each["spec"]["template"]["spec"]["containers"][0] for each in (job, pool))

    assert [theirs.get(part) for part in ("image", "env", "envFrom", "volumeMounts", "securityContext")] == [
        ours.get(part) for part in ("image", "env", "envFrom", "volumeMounts", "securityContext")
    ]
    assert "livenessProbe" not in ours


def test_no_deployment_takes_the_reconciliation_for_a_pod_of_its_own(reconciling: Any) -> None:
    job, pool = reconciling

    assert not pool["spec"]["selector"]["matchLabels"].items() <= job["spec"]["template"]["metadata"]["labels"].items()
    # By these the network policies of the servers know who may come.
    told = {"app.kubernetes.io/part-of": "celery-capstones", "app.kubernetes.io/managed-by": "Helm"}
    assert told.items() <= job["spec"]["template"]["metadata"]["labels"].items()
