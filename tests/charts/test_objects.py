"""What must hold of the objects, whatever else a review lets pass: how pods are told, rolled, stopped, probed, confined and found."""

from pathlib import Path
from typing import Any

import golden
import pytest
import yaml

from chart_rendering import CHARTS, NAMES, Helm, Object, at, container_of, found, only, pod_of

POOLS = ("api", "beat", "fulfilment", "notifications", "payments", "relay", "saga")
WORKERS = ("fulfilment", "notifications", "payments", "saga")
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")
OVERRIDDEN = "shop-payments"
"""The pool of ci/extended-values.yaml that says something else than the chart does."""


def workloads(objects: list[Object]) -> list[Object]:
    """What has pods, as the chart makes them."""
    return [one for one in objects if one["kind"] in WORKLOADS and one["metadata"]["name"] != OVERRIDDEN]


def containers(objects: list[Object]) -> list[Object]:
    """Every container, those that run first included."""
    pods = [pod_of(one) for one in workloads(objects)]
    return [container for pod in pods for container in (*pod.get("initContainers", []), *pod["containers"])]


def environment(container: Object) -> dict[str, Any]:
    """What a container is told directly; None for what comes from the pod itself."""
    return {one["name"]: one.get("value") for one in container["env"]}


FACTS = yaml.safe_load((Path(__file__).parent / "facts.yaml").read_text())


@pytest.mark.parametrize("fact", FACTS)
def test_it_holds_that(helm: Helm, fact: str) -> None:
    name, wanted = FACTS[fact]["object"].split()
    path = FACTS[fact]["path"].replace("container/", "pod/containers/0/").replace("pod/", "spec/template/spec/")

    assert FACTS[fact]["is"] == at(only(helm.render(name), *wanted.split("/")), path)


@pytest.mark.parametrize("pool", POOLS)
def test_a_pool_has_a_workload_and_a_budget(helm: Helm, pool: str) -> None:
    objects = helm.render("minimal")

    assert only(objects, "Deployment", f"orders-{pool}")
    assert only(objects, "PodDisruptionBudget", f"orders-{pool}")


@pytest.mark.parametrize("name", golden.NAMES)
def test_every_pod_runs_under_the_restricted_profile(helm: Helm, name: str) -> None:
    expected = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}

    for one in workloads(helm.render(name)):
        owned = {name: value for name, value in pod_of(one)["securityContext"].items() if name != "fsGroup"}
        assert expected == owned


@pytest.mark.parametrize("name", golden.NAMES)
def test_every_container_can_change_nothing_but_its_own_folders(helm: Helm, name: str) -> None:
    expected = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}

    assert all(expected == one["securityContext"] for one in containers(helm.render(name)))


@pytest.mark.parametrize("name", golden.NAMES)
def test_no_pod_asks_for_a_user_of_its_own(helm: Helm, name: str) -> None:
    text = golden.text(workloads(helm.render(name)))

    assert not [word for word in ("runAsUser", "runAsGroup") if word in text]


@pytest.mark.parametrize("name", golden.NAMES)
def test_only_a_pod_with_a_volume_of_its_own_has_a_group_for_it(helm: Helm, name: str) -> None:
    for one in workloads(helm.render(name)):
        assert "fsGroup" not in pod_of(one)["securityContext"] or one["spec"]["volumeClaimTemplates"]


@pytest.mark.parametrize("name", golden.NAMES)
def test_every_container_asks_for_something_and_may_use_only_so_much_memory_and_disk(helm: Helm, name: str) -> None:
    for one in containers(helm.render(name)):
        assert {"cpu", "memory", "ephemeral-storage"} == set(one["resources"]["requests"])
        assert {"memory", "ephemeral-storage"} <= set(one["resources"]["limits"])


@pytest.mark.parametrize("name", golden.NAMES)
def test_no_pod_gets_a_token(helm: Helm, name: str) -> None:
    assert all(pod_of(one)["automountServiceAccountToken"] is False for one in workloads(helm.render(name)))


@pytest.mark.parametrize("name", golden.NAMES)
def test_no_probe_asks_the_workers_through_the_broker(helm: Helm, name: str) -> None:
    assert "inspect" not in golden.text(helm.render(name))


@pytest.mark.parametrize("name", golden.NAMES)
def test_no_value_of_a_secret_is_in_an_object(helm: Helm, name: str) -> None:
    assert not found(helm.render(name), "Secret")


@pytest.mark.parametrize("name", golden.NAMES)
def test_commands_are_lists_that_no_shell_reads(helm: Helm, name: str) -> None:
    for one in containers(helm.render(name)):
        assert "python" == one["command"][0]
        assert not {"sh", "-c", "args"} & {*one["command"], *one}


@pytest.mark.parametrize("pool", WORKERS)
def test_a_worker_is_told_where_its_heartbeat_and_its_counters_go(helm: Helm, pool: str) -> None:
    told = environment(container_of(only(helm.render("minimal"), "Deployment", f"orders-{pool}")))

    assert told == {
        "POD_NAME": None,
        "POOL": pool,
        "HEARTBEAT_FILE": "/run/app/heartbeat",
        "HOST": "0.0.0.0",
        "METRICS_PORT": "9100",
        "SERVICE_VERSION": "dev",
        "PROMETHEUS_MULTIPROC_DIR": "/run/app/metrics",
        "HOME": "/tmp",
    }


@pytest.mark.parametrize("pool", POOLS)
def test_every_pod_listens_where_the_values_say(helm: Helm, pool: str) -> None:
    told = environment(container_of(only(helm.render(values={"host": "::"}), "Deployment", f"orders-{pool}")))

    assert "::" == told["HOST"]


def test_an_api_lingers_and_cuts_off_what_is_open_before_its_drain_is_over(helm: Helm) -> None:
    told = environment(container_of(only(helm.render("minimal"), "Deployment", "orders-api")))

    assert ("5", "4") == (told["LINGER_SECONDS"], told["DRAIN_SECONDS"])


@pytest.mark.parametrize("pool", POOLS)
def test_a_stuck_pod_is_replaced_within_three_minutes(helm: Helm, pool: str) -> None:
    values = {"pools": {pool: {"graceSeconds": 3600}}}
    probe = container_of(only(helm.render(values=values), "Deployment", f"orders-{pool}"))["livenessProbe"]
    longest_silence = 30  # chassis.heartbeat.STALE_SECONDS
    noticed = longest_silence + probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]

    assert noticed + probe["terminationGracePeriodSeconds"] < 180


@pytest.mark.parametrize("pool", POOLS)
def test_a_pod_may_take_its_time_to_start(helm: Helm, pool: str) -> None:
    values = {"pools": {pool: {"startupSeconds": 100}}}
    probe = container_of(only(helm.render(values=values), "Deployment", f"orders-{pool}"))["startupProbe"]

    assert 100 == probe["periodSeconds"] * probe["failureThreshold"]


def test_who_only_sends_work_can_be_held_at_another_version(helm: Helm) -> None:
    objects = helm.render(values={"image": {"tag": "new", "producersTag": "old"}})
    tags = {one["metadata"]["name"]: container_of(one)["image"].partition(":")[2] for one in workloads(objects)}
    job = next(name for name in tags if name.startswith("orders-migrate"))

    assert {"orders-api", "orders-beat", "orders-relay"} == {name for name, tag in tags.items() if tag == "old"}
    assert {job, *(f"orders-{pool}" for pool in WORKERS)} == {name for name, tag in tags.items() if tag == "new"}


def test_the_api_is_probed_by_what_it_serves(helm: Helm) -> None:
    container = container_of(only(helm.render("minimal"), "Deployment", "orders-api"))

    assert {"path": "/health/ready", "port": "http"} == container["readinessProbe"]["httpGet"]
    assert {"path": "/health/live", "port": "http"} == container["livenessProbe"]["httpGet"]


@pytest.mark.parametrize("pool", [pool for pool in POOLS if pool != "api"])
def test_a_pool_is_probed_by_what_its_process_says_of_itself(helm: Helm, pool: str) -> None:
    container = container_of(only(helm.render("minimal"), "Deployment", f"orders-{pool}"))

    assert {"name": "metrics", "containerPort": 9100} == container["ports"][0]
    assert "9100" == environment(container)["METRICS_PORT"]
    assert {"path": "/health/ready", "port": "metrics"} == container["readinessProbe"]["httpGet"]
    assert {"path": "/health/live", "port": "metrics"} == container["livenessProbe"]["httpGet"]
    assert {"path": "/health/live", "port": "metrics"} == container["startupProbe"]["httpGet"]


@pytest.mark.parametrize("name", golden.NAMES)
def test_no_probe_starts_a_process(helm: Helm, name: str) -> None:
    kinds = ("startupProbe", "readinessProbe", "livenessProbe")

    assert not [one for one in containers(helm.render(name)) for kind in kinds if "exec" in one.get(kind, {})]


@pytest.mark.parametrize("chart", NAMES)
def test_the_minimal_profile_fits_beside_its_platform(helm: Helm, chart: str) -> None:
    objects = helm.render(f"{chart}/minimal")
    asked = [container_of(one)["resources"]["requests"] for one in found(objects, "Deployment")]

    assert sum(int(one["cpu"].removesuffix("m")) for one in asked) <= 1200
    assert sum(int(one["memory"].removesuffix("Mi")) for one in asked) <= 2048


def test_a_release_of_another_name_shares_no_object(helm: Helm) -> None:
    def names(release: str) -> set[tuple[str, str]]:
        return {(one["kind"], one["metadata"]["name"]) for one in helm.render("dedicated", release=release)}

    assert not names("orders") & names("orders-green")


def test_the_library_names_no_application_of_this_repository() -> None:
    library = CHARTS / "celery-app"
    files = [
        *(library / "templates").iterdir(),
        *(library / name for name in ("values.yaml", "values.schema.json", "run_celery.py")),
    ]

    assert [] == [(file.name, word) for file in files for word in (*NAMES, "capstone") if word in file.read_text()]
