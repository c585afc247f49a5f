"""What makes the overlays differ."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.k8s.conftest import CHECKOUT, OVERLAYS, Object

from conductor import capstones
from conductor.capstone import load as capstone_of
from conductor.cluster import overlays, quorum_queues
from conductor.cluster.installation import PLATFORM
from conductor.observability.registry import load, metrics_of
from conductor.observability.rules import FILE

Render = Callable[[str], list[Object]]


def named(objects: list[Object], kind: str, name: str) -> Object:
    return next(each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name)


def test_the_high_availability_overlay_has_three_brokers(rendered: Render) -> None:
    assert 3 == named(rendered("ha"), "StatefulSet", "rabbitmq")["spec"]["replicas"]


def test_its_brokers_find_each_other_without_asking_the_cluster(rendered: Render) -> None:
    settings = next(
        each for each in rendered("ha") if each["kind"] == "ConfigMap" and "20-cluster.conf" in each["data"]
    )

    assert "peer_discovery_backend = k8s" in settings["data"]["20-cluster.conf"]
    assert "rabbitmq_peer_discovery_k8s" in settings["data"]["enabled_plugins"]


def test_a_variable_is_set_before_another_is_made_from_it(rendered: Render) -> None:
    environment = named(rendered("ha"), "StatefulSet", "rabbitmq")["spec"]["template"]["spec"]["containers"][0]["env"]
    names = [variable["name"] for variable in environment]
    used = [
        (names.index(name), position)
        for position, variable in enumerate(environment)
        for name in names
        if f"$({name})" in variable.get("value", "")
    ]

    assert used
    assert all(defined < position for defined, position in used)


def test_a_candidate_may_neither_read_secrets_nor_enter_a_pod(rendered: Render) -> None:
    rules = named(rendered("exam"), "Role", "candidate")["rules"]
    resources = {resource for rule in rules for resource in rule["resources"]}

    assert set() == resources & {"secrets", "pods/exec", "pods/portforward", "*"}


def test_prometheus_may_only_look_at_pods(rendered: Render) -> None:
    rules = named(rendered("observability-jaeger"), "Role", "prometheus")["rules"]

    assert [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}] == rules


def test_every_job_of_prometheus_has_a_limit_of_samples_and_one_of_labels(rendered: Render) -> None:
    told = next(each["data"] for each in rendered("observability") if "prometheus-config.yaml" in each.get("data", {}))
    jobs = [job for text in told.values() for job in yaml.safe_load(text)["scrape_configs"]]

    assert {"processes", "rabbitmq", "prometheus", "kubelet"} <= {one["job_name"] for one in jobs}
    assert [] == [one["job_name"] for one in jobs if not (one.get("sample_limit") and one.get("label_limit"))]


@pytest.mark.parametrize("overlay", ["observability", "observability-jaeger"])
def test_who_tells_of_killed_containers_sees_pods_of_its_namespace_and_shows_what_the_rule_asks_for(
    rendered: Render, overlay: str
) -> None:
    objects, alert = rendered(overlay), load().alerts["OOMKilled"].expr
    (container,) = named(objects, "Deployment", "kube-state-metrics")["spec"]["template"]["spec"]["containers"]
    told = dict(one.removeprefix("--").split("=", 1) for one in container["args"])
    labels = told["metric-labels-allowlist"].removeprefix("pods=[").removesuffix("]").split(",")
    shown = {"label_" + re.sub(r"[./-]", "_", label) for label in labels}

    assert metrics_of(alert) == set(told["metric-allowlist"].split(","))
    assert set(re.findall(r"label_app\w+", alert)) == shown
    assert ("pods", "$(NAMESPACE)") == (told["resources"], told["namespaces"])
    assert [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}] == named(
        objects, "Role", "kube-state-metrics"
    )["rules"]


def test_taking_the_platform_away_finds_every_object_of_every_overlay(rendered: Render) -> None:
    key, _, value = PLATFORM.partition("=")
    found = {
        (each["kind"].lower(), each["metadata"].get("labels", {}).get(key))
        for overlay in OVERLAYS
        for each in rendered(overlay)
    }

    # What was stored stays, and the namespace with it.
    known = (*overlays.KINDS, *map(str.lower, overlays.RIGHTS), "namespace", "persistentvolumeclaim")
    assert found == {(kind, value) for kind in known}


def test_prometheus_has_the_rules_that_are_checked_in_and_an_alertmanager(rendered: Render) -> None:
    for overlay in ("observability", "observability-jaeger"):
        rules = next(each for each in rendered(overlay) if each["kind"] == "ConfigMap" and "rules.yaml" in each["data"])
        pod = named(rendered(overlay), "Deployment", "prometheus")["spec"]["template"]["spec"]

        assert FILE.read_text() == rules["data"]["rules.yaml"]
        assert rules["metadata"]["name"] in [volume.get("configMap", {}).get("name") for volume in pod["volumes"]]
        assert "alertmanager" in named(rendered(overlay), "Service", "alertmanager")["metadata"]["name"]


@pytest.mark.parametrize("overlay", ["observability", "observability-jaeger"])
@pytest.mark.parametrize("capstone", capstones.names())
def test_each_capstone_brings_an_exporter_of_its_own_database_and_stores(
    rendered: Render, overlay: str, capstone: str
) -> None:
    brought = rendered(f"{overlay}/{capstone}")
    exporter = named(brought, "Deployment", f"{capstone}-database-exporter")["spec"]
    (container,) = exporter["template"]["spec"]["containers"]
    asked = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"]}
    wanted = {"STORE_URL", *(store.variable for store in capstone_of(capstone).stores)}

    assert [capstone] == container["command"][-1:]
    assert {"name": f"{capstone}-conductor", "key": "DATABASE_URL"} == asked.pop("DATABASE_URL")
    assert {name: {"name": capstone, "key": name} for name in wanted} == asked
    assert {f"{name.removesuffix('_URL').lower()}={name}" for name in wanted} == set(container["args"]) - {"--store"}
    assert exporter["selector"]["matchLabels"].items() <= exporter["template"]["metadata"]["labels"].items()
    assert f"{capstone}-exporter" == exporter["selector"]["matchLabels"]["app.kubernetes.io/instance"]
    own = {(one["kind"], one["metadata"]["name"]) for one in brought}
    assert {(one["kind"], one["metadata"]["name"]) for one in rendered(overlay)}.isdisjoint(own)


@pytest.mark.parametrize(
    ("sockets", "serves"),
    [
        ("listens joined", True),
        ("listens", False),
        ("joined", False),
        ("listens itself", False),
    ],
)
def test_a_broker_that_is_alone_of_three_is_not_ready(
    rendered: Render, tmp_path: Path, sockets: str, serves: bool
) -> None:
    (container,) = named(rendered("ha"), "StatefulSet", "rabbitmq")["spec"]["template"]["spec"]["containers"]
    amqp, erlang = (
        next(f"{port['containerPort']:04X}" for port in container["ports"] if port["name"] == name)
        for name in ("amqp", "erlang")
    )
    known = {
        "listens": f"0: 00000000000000000000000000000000:{amqp} 00000000000000000000000000000000:0000 0A 0 0",
        "joined": f"1: 0C01F40A:B5C2 0D02F40A:{erlang} 01 0 0",
        "itself": f"2: 0C01F40A:B5C2 0C01F40A:{erlang} 01 0 0",  # a rabbitmqctl, and no other node
    }
    table = tmp_path / "tcp"
    table.write_text("".join(f"   {known[one]}\n" for one in sockets.split()))
    script = CHECKOUT / "k8s" / "overlays" / "ha" / "rabbitmq" / "serving.sh"

    assert serves == (subprocess.run(["sh", str(script), str(table)], check=False).returncode == 0)


def test_an_eviction_takes_one_broker_at_a_time(rendered: Render) -> None:
    budget = named(rendered("ha"), "PodDisruptionBudget", "rabbitmq")["spec"]
    labels = named(rendered("ha"), "StatefulSet", "rabbitmq")["spec"]["template"]["metadata"]["labels"]

    assert 1 == budget["maxUnavailable"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()


def test_an_older_queue_gets_a_member_on_each_broker(rendered: Render) -> None:
    overlay = rendered("ha")
    said = next(each["data"]["20-cluster.conf"] for each in overlay if "20-cluster.conf" in each.get("data", {}))
    replicas = named(overlay, "StatefulSet", "rabbitmq")["spec"]["replicas"]

    assert f"continuous_membership_reconciliation.target_group_size = {replicas}" in said
    assert quorum_queues.MEMBERS == replicas
