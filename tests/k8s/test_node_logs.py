"""What reads the nodes' logs: as rendered, and its configuration in the programs themselves where they are installed."""

import json
import shutil
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.k8s.conftest import CHECKOUT, Object
from tests.k8s.installed_programs import answers, of_here, program, runs

from conductor.cluster import log_collector, log_store
from conductor.cluster.installation import Installation
from conductor.laptop import log_lines
from servers import free_port, wait_until

Render = Callable[[str], list[Object]]
OVERLAYS = ("observability", "observability-jaeger")
CONFIG = CHECKOUT / "k8s/node-logs/collector-config.yaml"
ORDER = "ea203da5-2a99-5da4-b67e-8de31753c6bd"

overlays = pytest.mark.parametrize("overlay", OVERLAYS)


def of_kind(objects: list[Object], kind: str) -> Object:
    (found,) = (each for each in objects if each["kind"] == kind)
    return found


def collector(rendered: Render, overlay: str) -> Any:
    return of_kind(rendered(f"{overlay}/{log_collector.FOLDER}"), "DaemonSet")["spec"]["template"]


@overlays
def test_it_sees_a_folder_of_its_node_and_has_no_token_and_no_right(rendered: Render, overlay: str) -> None:
    pod = collector(rendered, overlay)["spec"]
    (container,) = pod["containers"]
    folders = {one["hostPath"]["path"]: one["name"] for one in pod["volumes"] if "hostPath" in one}
    mounts = {one["name"]: one for one in container["volumeMounts"]}

    assert pod["automountServiceAccountToken"] is False
    assert {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}} == (
        container["securityContext"]
    )
    assert mounts[folders.pop("/var/log/pods")]["readOnly"]
    assert ["/var/lib/celery-capstones-logs"] == list(folders)


@overlays
def test_nothing_of_it_is_in_the_namespace_of_the_platform(rendered: Render, overlay: str) -> None:
    objects = rendered(f"{overlay}/{log_collector.FOLDER}")

    assert {"capstones-logs"} == {each["metadata"].get("namespace", each["metadata"]["name"]) for each in objects}


@overlays
def test_it_sends_to_the_store_of_its_overlay_and_is_let_in_there(rendered: Render, overlay: str) -> None:
    pod = collector(rendered, overlay)
    environment = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
    platform = rendered(overlay)
    service = next(one for one in platform if one["kind"] == "Service" and one["metadata"]["name"] == log_store.SERVICE)
    (port,) = service["spec"]["ports"]
    store = next(
        one["spec"]["template"]
        for one in platform
        if one["kind"] == "Deployment" and one["metadata"]["labels"] == service["metadata"]["labels"]
    )
    (opened,) = store["spec"]["containers"][0]["ports"]
    policy = next(
        one["spec"] for one in platform if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "logs"
    )
    namespace = of_kind(rendered(f"{overlay}/{log_collector.FOLDER}"), "Namespace")["metadata"]

    assert str(environment["LOG_STORE"]).startswith(f"{port['port']}/")
    assert port["name"] in log_store.KINDS
    assert (port["targetPort"], port["port"]) == (opened["name"], opened["containerPort"])
    let_in = policy["ingress"][0]["from"][0]
    assert let_in["namespaceSelector"]["matchLabels"].items() <= namespace["labels"].items()
    assert let_in["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert policy["podSelector"]["matchLabels"].items() <= store["metadata"]["labels"].items()


def test_of_another_installation_it_reads_other_pods(rendered: Render, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("CAPSTONE_RUN_DIR", str(tmp_path))
    wanted = Installation(namespace="other", overlay=OVERLAYS[1])
    objects = list(yaml.safe_load_all(log_collector.rendered(wanted)))
    (container,) = of_kind(objects, "DaemonSet")["spec"]["template"]["spec"]["containers"]

    assert {"other-logs"} == {each["metadata"].get("namespace", each["metadata"]["name"]) for each in objects}
    assert {"name": "APPLICATION_NAMESPACE", "value": "other"} in container["env"]


STORES: dict[str, Callable[[Path, int], list[str]]] = {
    "victoria-logs": lambda folder, port: [
        program("victoria-logs"),
        f"-storageDataPath={folder / 'data'}",
        f"-httpListenAddr=127.0.0.1:{port}",
    ],
    "loki": lambda folder, port: [
        program("loki"),
        f"-config.file={loki_here(folder, port)}",
        "-server.http-listen-address=127.0.0.1",
        f"-server.grpc-listen-port={free_port()}",
        "-server.grpc-listen-address=127.0.0.1",
    ],
}
"""By the name of its port in the Service, the command line of a store that keeps what it has in this folder."""

READY = {"victoria-logs": "/health", "loki": "/ready"}


def indexed(kind: str, address: str) -> set[str]:
    """By which fields the store tells streams of lines apart: a further value of one is a further stream."""
    path = "/loki/api/v1/labels" if kind == "loki" else "/select/logsql/stream_field_names?query=*"
    with urllib.request.urlopen(address + path, timeout=10) as answer:
        told = json.load(answer)
    if kind == "loki":
        return {name.replace("_", ".") for name in told["data"]}
    return {one["value"] for one in told["values"]}


def loki_here(folder: Path, port: int) -> Path:
    """The overlay's configuration of Loki, for this machine."""
    told = (CHECKOUT / "k8s/overlays/observability/loki-config.yaml").read_text()
    changed = {"/var/lib/loki": str(folder / "data"), "http_listen_port: 3100": f"http_listen_port: {port}"}
    return of_here(folder / "loki-config.yaml", told, changed)


def collector_here(folder: Path) -> Path:
    """The collector's configuration, for files and ports of this machine."""
    return of_here(
        folder / "collector-config.yaml",
        CONFIG.read_text(),
        {
            "/var/log/pods": str(folder / "pods"),
            "/var/lib/collector": str(folder),
            "0.0.0.0:13133": f"127.0.0.1:{free_port()}",
            "http://logs.${env:APPLICATION_NAMESPACE}": "http://127.0.0.1",
        },
    )


def sent_to(overlay: str, port: int) -> str:
    """Where the overlay's collector sends lines, with this port."""
    made = yaml.safe_load((CHECKOUT / "k8s/overlays" / overlay / "node-logs/kustomization.yaml").read_text())
    (told,) = yaml.safe_load(made["patches"][0]["patch"])["spec"]["template"]["spec"]["containers"]
    (variable,) = told["env"]
    return f"{port}/{str(variable['value']).partition('/')[2]}"


@pytest.mark.parametrize(("overlay", "kind"), [("observability-jaeger", "victoria-logs"), ("observability", "loki")])
def test_what_a_pod_said_is_found_by_its_order_when_its_file_is_gone_whoever_was_away(
    tmp_path: Path, overlay: str, kind: str
) -> None:
    port = free_port()
    otelcol, store = program("otelcol-contrib"), STORES[kind](tmp_path, port)
    pod = "orders-payments-7d9f-x2x4q"
    folder = tmp_path / "pods" / f"capstones_{pod}_0a0b11cc-22dd" / "worker"
    folder.mkdir(parents=True)

    def says(*parts: str) -> str:
        """Have the pod say this, as a container runtime writes it down that splits long lines; the line."""
        with (folder / "0.log").open("a") as file:
            for number, part in enumerate(parts, 1):
                tag = "F" if number == len(parts) else "P"
                file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S.0Z', time.gmtime())} stdout {tag} {part}\n")
        return "".join(parts)

    long = json.dumps({"event": "command_retried", "level": "info", "order_id": ORDER, "why": "x" * 12_000})
    lines = [says(long[:8000], long[8000:]), says(f"no JSON, of {ORDER.replace('-', '')}")]
    says(json.dumps({"event": "of another"}))
    address = f"http://127.0.0.1:{port}"
    collects = partial(
        runs, tmp_path / "collector.log", otelcol, f"--config={collector_here(tmp_path)}",
        APPLICATION_NAMESPACE="capstones", NODE="n", LOG_STORE=sent_to(overlay, port),
    )  # fmt: skip
    keeps = partial(runs, tmp_path / "store.log", *store)

    def asked(namespace: str = "capstones") -> list[tuple[str, str]]:
        return sorted(log_store.asked(kind, address, namespace, log_lines.names(ORDER), now=time.time()))

    def kept() -> bool:
        return len(asked()) >= len(lines)

    with collects():
        # The store comes later than the lines, and goes before who sends them.
        with keeps():
            wait_until(lambda: answers(address + READY[kind]), what=kind, seconds=60)
            wait_until(kept, what="the lines")
        lines.append(says(json.dumps({"event": "read while nobody kept it", "order_id": ORDER})))
        wait_until(
            lambda: any(b"read while nobody" in file.read_bytes() for file in tmp_path.glob("exporter_*")),
            what="it to be read",
        )
    lines.append(says(json.dumps({"event": "said while nobody read", "order_id": ORDER})))
    with keeps(), collects():
        wait_until(lambda: answers(address + READY[kind]), what=kind, seconds=60)
        wait_until(kept, what="the line that came meanwhile")
        shutil.rmtree(tmp_path / "pods")

        assert {"k8s.namespace.name", "k8s.pod.name", "k8s.container.name"} == indexed(kind, address)
        assert sorted((pod, line) for line in lines) == asked()
        assert [] == asked("others")
