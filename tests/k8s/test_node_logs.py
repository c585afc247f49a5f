"""What reads the nodes' logs: as rendered, and its configuration in the programs themselves where they are installed.

Neither VictoriaLogs nor the collector is a package of Debian:
`go install github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@v1.52.2`,
and `otelcol-contrib` out of the collector's image.
"""

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.k8s.conftest import CHECKOUT, Object

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


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@contextlib.contextmanager
def runs(log: Path, *argv: str, **environment: str) -> Iterator[None]:
    with (
        log.open("wb") as said,
        subprocess.Popen(argv, stdout=said, stderr=said, env={**os.environ, **environment}) as it,
    ):
        try:
            yield
        finally:
            it.terminate()


def answers(url: str) -> bool:
    with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def of_here(tmp_path: Path, health: int) -> Path:
    """The collector's configuration, for files and ports of this machine."""
    told = CONFIG.read_text()
    for there, here in {
        "/var/log/pods": str(tmp_path / "pods"),
        "/var/lib/collector": str(tmp_path),
        "0.0.0.0:13133": f"127.0.0.1:{health}",
        "http://logs.${env:APPLICATION_NAMESPACE}": "http://127.0.0.1",
    }.items():
        assert there in told
        told = told.replace(there, here)
    config = tmp_path / "collector-config.yaml"
    config.write_text(told)
    return config


def test_what_a_pod_said_is_found_by_its_order_when_its_file_is_gone_whoever_was_away(
    rendered: Render, tmp_path: Path
) -> None:
    store, otelcol = program("victoria-logs"), program("otelcol-contrib")
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
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    patches = yaml.safe_load((CHECKOUT / "k8s/overlays/observability-jaeger/node-logs/kustomization.yaml").read_text())
    (container,) = yaml.safe_load(patches["patches"][0]["patch"])["spec"]["template"]["spec"]["containers"]
    path = container["env"][0]["value"].replace("9428", str(port), 1)
    collects = partial(
        runs, tmp_path / "collector.log", otelcol, f"--config={of_here(tmp_path, free_port())}",
        APPLICATION_NAMESPACE="capstones", NODE="n", LOG_STORE=path,
    )  # fmt: skip

    def asked(namespace: str = "capstones") -> list[tuple[str, str]]:
        return sorted(log_store.asked("victoria-logs", address, namespace, log_lines.names(ORDER), now=time.time()))

    def kept() -> bool:
        return len(asked()) >= len(lines)

    data = f"-storageDataPath={tmp_path / 'data'}"
    with collects():
        # The store comes later than the lines, and goes before who sends them.
        with runs(tmp_path / "store.log", store, data, f"-httpListenAddr=127.0.0.1:{port}"):
            wait_until(lambda: answers(f"{address}/health"), what="VictoriaLogs")
            wait_until(kept, what="the lines")
        lines.append(says(json.dumps({"event": "read while nobody kept it", "order_id": ORDER})))
        wait_until(
            lambda: any(b"read while nobody" in file.read_bytes() for file in tmp_path.glob("exporter_*")),
            what="it to be read",
        )
    lines.append(says(json.dumps({"event": "said while nobody read", "order_id": ORDER})))
    with runs(tmp_path / "store.log", store, data, f"-httpListenAddr=127.0.0.1:{port}"), collects():
        wait_until(lambda: answers(f"{address}/health"), what="VictoriaLogs")
        wait_until(kept, what="the line that came meanwhile")
        shutil.rmtree(tmp_path / "pods")

        assert sorted((pod, line) for line in lines) == asked()
        assert [] == asked("others")
