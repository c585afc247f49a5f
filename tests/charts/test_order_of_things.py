"""What comes before what: the schema before any pod, and no pod rolled that did not change."""

from typing import Any

import pytest

from chart_rendering import Helm, Object, container_of, found, only, pod_of

DATABASE_READERS = ("api", "fulfilment", "notifications", "payments", "relay", "saga")


def job(helm: Helm, values: Any = None) -> Object:
    (one,) = found(helm.render(values=values), "Job")
    return one


def template_of(helm: Helm, pool: str, values: Any = None) -> Any:
    return only(helm.render(values=values), "Deployment", f"orders-{pool}")["spec"]["template"]


def test_the_schema_is_migrated_before_anything_of_the_release_changes(helm: Helm) -> None:
    assert "pre-install,pre-upgrade" == job(helm)["metadata"]["annotations"]["helm.sh/hook"]


def test_the_migration_needs_nothing_that_the_release_makes(helm: Helm) -> None:
    objects = helm.render()
    made = {(one["kind"], one["metadata"]["name"]) for one in objects if one["kind"] != "Job"}
    pod = pod_of(job(helm))

    (container,) = pod["containers"]
    assert "serviceAccountName" not in pod
    assert [{"secretRef": {"name": "orders"}}] == container["envFrom"]
    assert ("Secret", "orders") not in made
    assert all("emptyDir" in volume for volume in pod["volumes"])


def test_a_migration_that_failed_is_tried_again_but_not_for_ever(helm: Helm) -> None:
    spec = job(helm)["spec"]

    assert (6, 600, "Never") == (
        spec["backoffLimit"],
        spec["activeDeadlineSeconds"],
        pod_of(job(helm))["restartPolicy"],
    )


@pytest.mark.parametrize("values", [{"image": {"tag": "next"}}, {"secretChecksum": "2"}, {"existingSecret": "other"}])
def test_another_image_or_secret_is_another_job(helm: Helm, values: Any) -> None:
    assert job(helm)["metadata"]["name"] != job(helm, values)["metadata"]["name"]


def test_a_deploy_without_changes_is_the_same_job(helm: Helm) -> None:
    assert job(helm)["metadata"]["name"] == job(helm, {"pools": {"saga": {"replicas": 3}}})["metadata"]["name"]


@pytest.mark.parametrize("pool", DATABASE_READERS)
def test_a_pod_that_reads_the_database_waits_for_its_schema(helm: Helm, pool: str) -> None:
    (first,) = template_of(helm, pool)["spec"]["initContainers"]

    assert container_of(job(helm)) == first


def test_the_migration_runs_where_the_pools_may(helm: Helm) -> None:
    (one,) = found(helm.render("dedicated"), "Job")

    assert {"pool": "workers"} == pod_of(one)["nodeSelector"]
    assert "dedicated" == pod_of(one)["tolerations"][0]["key"]


def test_beat_waits_for_no_schema(helm: Helm) -> None:
    assert "initContainers" not in template_of(helm, "beat")["spec"]


def test_a_pool_that_needs_no_schema_waits_for_none(helm: Helm) -> None:
    pods = {pool: template_of(helm, pool, {"pools": {"saga": {"needsSchema": False}}}) for pool in ("saga", "relay")}

    assert {"saga": False, "relay": True} == {pool: "initContainers" in pod["spec"] for pool, pod in pods.items()}


def test_without_migrations_there_is_neither_job_nor_wait(helm: Helm) -> None:
    objects = helm.render(values={"migration": {"enabled": False}})

    assert not found(objects, "Job")
    assert not [one for one in found(objects, "Deployment") if "initContainers" in pod_of(one)]


@pytest.mark.parametrize("pool", [*DATABASE_READERS, "beat"])
@pytest.mark.parametrize("values", [{"settings": {"mailFrom": "a@b.example"}}, {"secretChecksum": "2"}])
def test_another_setting_or_secret_rolls_every_pool(helm: Helm, pool: str, values: Any) -> None:
    assert template_of(helm, pool) != template_of(helm, pool, values)


@pytest.mark.parametrize("pool", [*DATABASE_READERS, "beat"])
@pytest.mark.parametrize(
    "values",
    [
        {"networkPolicy": {"enabled": False}},
        {"api": {"release": "orders-green"}},
        {"consumersPaused": True},
        {"defaults": {"replicas": 1}},
        {"defaults": {"autoscaling": {"maxReplicas": 9}}},
        {"pools": {"extra": {"role": "relay"}}},
    ],
    ids=["network", "switch", "standby", "size", "autoscaling", "another pool"],
)
def test_what_is_no_pods_business_rolls_none(helm: Helm, pool: str, values: Any) -> None:
    assert template_of(helm, pool) == template_of(helm, pool, values)


def test_another_size_of_one_pool_rolls_none(helm: Helm) -> None:
    assert template_of(helm, "saga") == template_of(helm, "saga", {"pools": {"saga": {"replicas": 4}}})


def test_another_limit_of_one_pool_rolls_that_pool_only(helm: Helm) -> None:
    values = {"pools": {"saga": {"softTimeLimitSeconds": 50}}}

    assert template_of(helm, "saga") != template_of(helm, "saga", values)
    assert template_of(helm, "payments") == template_of(helm, "payments", values)
