"""A release that cannot work is refused before anything changes; one that works proves it, and its deploy leaves nothing behind."""

import json

import pytest

from conductor.cluster import image_loading, install, overlays
from conductor.cluster.installation import PLATFORM, Installation
from conductor.cluster.kubectl import run
from conductor.cluster.names import Names
from conductor.errors import ClusterFailed

OWN = Names("orders")


def revision(installation: Installation) -> int:
    listed = run(["helm", "history", OWN.release, "--namespace", installation.namespace, "--output", "json"])
    return int(json.loads(listed)[-1]["revision"])


def migrations(installation: Installation) -> str:
    return installation.kubectl("get", "jobs", "--selector", "app.kubernetes.io/component=migrate", "--output", "name")


def pods(installation: Installation) -> str:
    selector = f"app.kubernetes.io/instance={OWN.release}"
    return installation.kubectl("get", "pods", "--selector", selector, "--output", "name")


def test_no_migration_outlives_its_deploy(installation: Installation) -> None:
    assert "" == migrations(installation)


def test_a_release_without_its_secret_is_refused_by_name(installation: Installation) -> None:
    where = ("--namespace", installation.namespace)

    with pytest.raises(
        ClusterFailed, match=f'no Secret "orders-of-others" in the namespace "{installation.namespace}"'
    ):
        run(["helm", "install", "other", str(OWN.chart), *where, "--set", "existingSecret=orders-of-others"])

    assert "" == installation.kubectl(
        "get", "all", "--selector", "app.kubernetes.io/instance=other", "--output", "name"
    )


def test_what_the_api_server_refuses_changes_nothing(installation: Installation) -> None:
    before = revision(installation)
    wrong = Installation(
        installation.namespace, tag=installation.tag, extra=(*installation.extra, "--set", "commonLabels.team=a b")
    )

    with pytest.raises(ClusterFailed, match="a b"):
        install.install_release(wrong, OWN)

    assert before == revision(installation)


def test_a_migration_that_fails_is_told_and_leaves_nothing(installation: Installation) -> None:
    says = '["python", "-c", "raise SystemExit(\\"no such column\\")"]'
    wrong = Installation(
        installation.namespace,
        tag=installation.tag,
        within_seconds=60,
        extra=(*installation.extra, "--set-json", f"migration.command={says}", "--set", "migration.deadlineSeconds=15"),
    )
    before = pods(installation)

    with pytest.raises(ClusterFailed, match="migrate"):
        install.install_release(wrong, OWN)

    assert "" == migrations(installation)
    assert before == pods(installation)


def test_helm_places_an_order_and_sees_it_delivered(installation: Installation) -> None:
    install.install_release(installation, OWN)  # after one that failed

    said = run(["helm", "test", OWN.release, "--namespace", installation.namespace, "--logs"])

    assert '"orders": 1, "errors": 0' in said


def test_what_another_overlay_brought_is_removed(installation: Installation) -> None:
    kubectl = installation.kubectl
    labels = dict([PLATFORM.split("=")])
    kubectl.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "of-another-overlay", "labels": labels}}
    )

    assert ["configmap/of-another-overlay"] == overlays.prune(installation, [OWN.capstone])
    assert [] == overlays.prune(installation, [OWN.capstone])


def test_images_that_the_nodes_have_are_not_loaded_again(images: list[str]) -> None:
    told: list[str] = []

    image_loading.load(images, told.append, ["false"])  # fails when it is called

    assert [f"on the nodes already: {', '.join(images)}"] == told
