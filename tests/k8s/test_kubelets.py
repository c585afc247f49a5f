"""What Prometheus asks the kubelets: by which right, and what it keeps. The configuration is read by the programs themselves."""

import copy
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.k8s.conftest import CHECKOUT, Object
from tests.k8s.installed_programs import prometheus, series

import promtool
from conductor.cluster import overlays
from conductor.cluster.installation import Installation
from conductor.observability.registry import load
from servers import free_port, wait_until

Render = Callable[[str], list[Object]]
WATCHED = ("observability", "observability-jaeger")
COMPONENT = CHECKOUT / "k8s" / "components" / "kubelets"
FILE = COMPONENT / "scrape-kubelets.yaml"
(JOB,) = yaml.safe_load(FILE.read_text())["scrape_configs"]
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
TOLD = (Path(__file__).parent / "cadvisor.txt").read_text()
"""What a kubelet 1.34 said of its node: some lines, of the node, of pods in three namespaces, and of their containers."""

OWN = "keda"
"""The namespace that is taken for ours: that of the only container with a limit of CPU."""


def of_kinds(objects: list[Object], *kinds: str) -> dict[str, Object]:
    return {each["kind"]: each for each in objects if each["kind"] in kinds}


UNKNOWN = ("scrape_config_files", "track_timestamps_staleness", "kubernetes_sd_configs")
"""What the Prometheus of the overlays knows, and that of Debian 12 does not."""


def configured(objects: list[Object], folder: Path) -> Path:
    """What Prometheus' ConfigMap says, as one file with paths of this machine."""
    files = next(each["data"] for each in objects if "prometheus-config.yaml" in each.get("data", {}))
    told = yaml.safe_load(files.pop("prometheus-config.yaml"))
    read = [
        name for pattern in told["scrape_config_files"] for name in files if fnmatch(f"/etc/prometheus/{name}", pattern)
    ]
    jobs = [job for name in read for job in yaml.safe_load(files[name])["scrape_configs"]]
    (folder / "token").write_text("word")
    (folder / "rules.yaml").write_text("groups: []")
    every = [{key: value for key, value in job.items() if key not in UNKNOWN} for job in told["scrape_configs"] + jobs]
    changed = {**told, "scrape_configs": every, "rule_files": [str(folder / "rules.yaml")]}
    del changed["scrape_config_files"]
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(changed).replace(TOKEN, str(folder / "token")))
    return file


@pytest.mark.parametrize("overlay", WATCHED)
def test_prometheus_may_read_the_metrics_of_nodes_and_nothing_else_that_is_in_no_namespace(
    rendered: Render, overlay: str
) -> None:
    found = of_kinds(rendered(overlay), *overlays.RIGHTS)

    assert [{"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]}] == found["ClusterRole"]["rules"]
    assert found["ClusterRole"]["metadata"]["name"] == found["ClusterRoleBinding"]["roleRef"]["name"]
    assert [{"kind": "ServiceAccount", "name": "prometheus", "namespace": "capstones"}] == (
        found["ClusterRoleBinding"]["subjects"]
    )


def test_an_installation_in_another_namespace_has_a_right_of_its_own(
    kubectl: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPSTONE_RUN_DIR", str(tmp_path))
    wanted = Installation(namespace="shop", overlay="observability-jaeger")
    objects = list(yaml.safe_load_all(overlays.rendered(wanted, overlays.folder_of(wanted))))
    found = of_kinds(objects, *overlays.RIGHTS)

    assert overlays.named_rights(wanted) == [
        f"{kind.lower()}/{each['metadata']['name']}" for kind, each in found.items()
    ]
    assert found["ClusterRole"]["metadata"]["name"] == found["ClusterRoleBinding"]["roleRef"]["name"]
    assert ["shop"] == [one["namespace"] for one in found["ClusterRoleBinding"]["subjects"]]
    assert overlays.named_rights(wanted) != overlays.named_rights(Installation())


def test_prometheus_reads_the_configuration_with_the_kubelets_and_without_them(
    kubectl: str, rendered: Render, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    parts = [CHECKOUT / "k8s/components/observability", CHECKOUT / "observability/rules"]
    relative = [os.path.relpath(part, own) for part in parts]
    (own / "kustomization.yaml").write_text(yaml.safe_dump({"namespace": "capstones", "components": relative}))
    done = subprocess.run([kubectl, "kustomize", str(own)], capture_output=True, text=True, check=True)
    without = list(yaml.safe_load_all(done.stdout))
    jobs = {}
    for name, objects in (("with", rendered("observability")), ("without", without)):
        (tmp_path / name).mkdir()
        file = configured(copy.deepcopy(objects), tmp_path / name)
        checked = promtool.run("check", "config", file)
        assert 0 == checked.returncode, checked.stdout + checked.stderr
        jobs[name] = {one["job_name"] for one in yaml.safe_load(file.read_text())["scrape_configs"]}

    assert {} == of_kinds(without, *overlays.RIGHTS)
    assert {"kubelet"} == jobs["with"] - jobs["without"]
    assert jobs["without"] < jobs["with"]


def test_what_is_kept_is_what_the_registry_says() -> None:
    pattern = next(one["regex"] for one in JOB["metric_relabel_configs"] if one["source_labels"] == ["__name__"])
    declared = {name for name, one in load().metrics.items() if one.source == ["kubelet"]}

    assert declared == {name for name in names(TOLD) if re.fullmatch(pattern, name)}
    assert len(names(TOLD)) > len(declared)


def names(text: str) -> set[str]:
    return set(re.findall(r"^(\w+)\{", text, re.MULTILINE))


@contextmanager
def kubelet() -> Iterator[int]:
    """The port where what a kubelet said is said again, to who has the token."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = (self.path, self.headers["Authorization"]) == (JOB["metrics_path"], "Bearer word")
            self.send_response(200 if known else 403)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(TOLD.encode() if known else b"Forbidden")

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_only_the_containers_of_the_namespace_are_series_with_labels_that_do_not_change_when_they_are_started_again(
    tmp_path: Path,
) -> None:
    port = free_port()
    (tmp_path / "token").write_text("word")
    with kubelet() as there:
        target = {"targets": [f"127.0.0.1:{there}"], "labels": {"instance": "node-1", "namespace": OWN}}
        left_out = (
            *UNKNOWN,
            "scheme",
            "tls_config",
            "relabel_configs",
            "scrape_interval",
            "scrape_timeout",
        )
        told = {key: value for key, value in JOB.items() if key not in left_out}
        # What was said then is too old for a sample of today.
        job = {**told, "honor_timestamps": False, "static_configs": [target]}
        job["authorization"] = {"credentials_file": str(tmp_path / "token")}
        often = dict.fromkeys(("scrape_interval", "scrape_timeout"), "1s")
        with prometheus(port, tmp_path, {"global": often, "scrape_configs": [job]}):
            wait_until(lambda: bool(series(port, 'up{job="kubelet"} == 1')), what="a scrape")
            found = series(port, '{__name__=~"container_.+"}')
            scraped = series(port, "scrape_samples_post_metric_relabeling > 0")

    registry = load()
    assert {name for name, one in registry.metrics.items() if one.source == ["kubelet"]} == {
        one["__name__"] for one in found
    }
    assert {(OWN, "node-1", "kubelet")} == {(one["namespace"], one["instance"], one["job"]) for one in found}
    for one in found:
        assert one.keys() - {"__name__", "job", "instance"} == registry.metrics[one["__name__"]].labels.keys()
    assert "" not in {one["container"] for one in found}
    assert 1 == len(scraped)
