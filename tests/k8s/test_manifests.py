"""What every overlay must be: complete, closed, pinned, and modest. Offline: rendered by kubectl, asked as data."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.k8s.conftest import OVERLAYS, Object

from conductor import capstones
from conductor.cluster import overlays, secrets

Render = Callable[[str], list[Object]]
WORKLOADS = ("Deployment", "StatefulSet", "Job")
PINNED = {
    "rabbitmq:4.3-management",
    "redis:8",
    "postgres:18",
    "prom/alertmanager:v0.33.1",
    "prom/prometheus:v3.5.3",
    "otel/opentelemetry-collector-contrib:0.160.0",
    "jaegertracing/jaeger:2.13.0",
    "grafana/tempo:2.9.0",
    "grafana/grafana:12.3.0",
    "grafana/loki:3.7.8",
    "victoriametrics/victoria-logs:v1.52.2",
    "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.16.0",
    "celery-capstones/outside:dev",
    "celery-capstones/conductor:dev",
}
SECRETS_MADE = set(secrets.names(capstones.names()))

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for each in objects:
        if each["kind"] in WORKLOADS:
            yield f"{each['kind']}/{each['metadata']['name']}", each["spec"]["template"]


def containers(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for name, pod in pods(objects):
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
            yield f"{name}/{container['name']}", container


def test_every_container_meets_the_restricted_profile(overlay: str, rendered: Render) -> None:
    expected = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}

    assert [] == [name for name, found in containers(rendered(overlay)) if found.get("securityContext") != expected]


def test_every_pod_is_somebody_who_is_not_root(overlay: str, rendered: Render) -> None:
    def well(context: Any) -> bool:
        profile = context.get("seccompProfile") == {"type": "RuntimeDefault"}
        return bool(context.get("runAsNonRoot") and context.get("runAsUser") and profile)

    assert [] == [name for name, pod in pods(rendered(overlay)) if not well(pod["spec"].get("securityContext", {}))]


def test_only_the_outside_reads_what_opens_its_ledgers(overlay: str, rendered: Render) -> None:
    readers = {name for name, found in containers(rendered(overlay)) if "outside-admin" in str(found)}

    assert {f"StatefulSet/{name}/{name}" for name in ("payments", "carrier", "mail")} == readers


def test_the_namespace_refuses_what_is_not_restricted(overlay: str, rendered: Render) -> None:
    namespace = next(each for each in rendered(overlay) if each["kind"] == "Namespace")

    assert "restricted" == namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]


def test_only_who_asks_the_cluster_has_a_token(overlay: str, rendered: Render) -> None:
    holders = {
        name for name, pod in pods(rendered(overlay)) if pod["spec"].get("automountServiceAccountToken") is not False
    }

    assert holders <= {"Deployment/prometheus", "Deployment/kube-state-metrics"}


def test_every_container_says_what_it_asks_for_and_how_much_memory_it_may_use(overlay: str, rendered: Render) -> None:
    def well(resources: Any) -> bool:
        asked = resources.get("requests", {})
        return {"cpu", "memory"} <= asked.keys() and "memory" in resources.get("limits", {})

    assert [] == [name for name, found in containers(rendered(overlay)) if not well(found.get("resources", {}))]


def test_every_image_is_pinned(overlay: str, rendered: Render) -> None:
    assert {found["image"] for _, found in containers(rendered(overlay))} <= PINNED


def test_every_long_lived_container_has_a_readiness_probe(overlay: str, rendered: Render) -> None:
    ready = [name for name, pod in pods(rendered(overlay)) if "readinessProbe" not in pod["spec"]["containers"][0]]

    assert [] == ready


def test_no_probe_starts_an_erlang_machine(overlay: str, rendered: Render) -> None:
    probes = [
        found.get(kind) for _, found in containers(rendered(overlay)) for kind in ("livenessProbe", "readinessProbe")
    ]

    assert "rabbitmq-diagnostics" not in str(probes)


def test_no_object_is_a_secret(overlay: str, rendered: Render) -> None:
    assert "Secret" not in {each["kind"] for each in rendered(overlay)}


def test_no_policy_knows_a_capstone_by_its_name(overlay: str, rendered: Render) -> None:
    policies = [each["spec"] for each in rendered(overlay) if each["kind"] == "NetworkPolicy"]
    peers = re.findall(r"app.kubernetes.io/(?:name|instance)': '([^']+)'", str(policies))

    assert policies
    assert set() == set(peers) & set(capstones.names())


def test_the_servers_that_all_share_take_in_the_pods_of_every_release(overlay: str, rendered: Render) -> None:
    release = {"app.kubernetes.io/part-of": "celery-capstones", "app.kubernetes.io/managed-by": "Helm"}
    taken_in = {
        each["metadata"]["name"]
        for each in rendered(overlay)
        if each["kind"] == "NetworkPolicy"
        for rule in each["spec"].get("ingress", [])
        for peer in rule.get("from", [])
        if peer.get("podSelector", {}).get("matchLabels") == release
    }

    assert {"broker", "store", "database", "outside"} <= taken_in


def test_every_secret_that_is_read_is_one_that_is_made(overlay: str, rendered: Render) -> None:
    text = str([pod for _, pod in pods(rendered(overlay))])
    read = set(re.findall(r"'secretName': '([^']+)'", text))
    read |= set(re.findall(r"'secretKeyRef': \{[^}]*'name': '([^']+)'", text))

    assert read <= SECRETS_MADE


def test_every_service_leads_to_ports_that_its_pods_open(overlay: str, rendered: Render) -> None:
    objects = rendered(overlay)
    opened = {
        tuple(sorted(pod["metadata"]["labels"].items())): {
            port["containerPort"] for container in pod["spec"]["containers"] for port in container.get("ports", [])
        }
        for _, pod in pods(objects)
    }
    lost = []
    for service in (each for each in objects if each["kind"] == "Service"):
        wanted = set(service["spec"]["selector"].items())
        ports = {port for labels, found in opened.items() if wanted <= set(labels) for port in found}
        lost += [(service["metadata"]["name"], p["port"]) for p in service["spec"]["ports"] if p["port"] not in ports]

    assert [] == lost


def test_every_pod_is_closed_in_both_directions_unless_a_policy_opens_it(overlay: str, rendered: Render) -> None:
    objects = rendered(overlay)
    closed = next(each for each in objects if each["metadata"]["name"] == "platform-closed")["spec"]
    chosen = closed["podSelector"]["matchLabels"].items()
    open_pods = [name for name, pod in pods(objects) if not chosen <= pod["metadata"]["labels"].items()]

    assert (["Ingress", "Egress"], []) == (closed["policyTypes"], open_pods)


def test_every_object_is_in_the_one_namespace(overlay: str, rendered: Render) -> None:
    outside = [each for each in rendered(overlay) if each["metadata"].get("namespace") != "capstones"]
    rights = {each["metadata"]["name"] for each in outside if each["kind"] in overlays.RIGHTS}

    assert ["capstones"] == [
        each["metadata"]["name"] for each in outside if each["kind"] not in overlays.RIGHTS
    ]  # itself
    assert rights <= {overlays.RIGHTS_NAME}


def test_the_platform_asks_for_less_than_half_of_a_laptop(overlay: str, rendered: Render) -> None:
    # Three brokers are not for the smallest laptop.
    most = (1500, 3072) if overlay in ("ha", "sharded", "sharded-replicas") else (1000, 2048)
    millis, mebibytes = 0, 0
    for _, pod in pods(rendered(overlay)):
        for container in pod["spec"]["containers"]:
            asked = container["resources"]["requests"]
            millis += int(asked["cpu"].removesuffix("m"))
            mebibytes += int(asked["memory"].removesuffix("Mi"))

    assert millis <= most[0]
    assert mebibytes <= most[1]
