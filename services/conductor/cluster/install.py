"""Brings the platform and the orders to a cluster, from nothing or from what is there: the same call again changes nothing."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from conductor.cluster import images, jobs, secrets
from conductor.cluster.jobs import Ended, Program
from conductor.cluster.kubectl import NAMESPACE, Kubectl, run
from conductor.cluster.secrets import Broker
from conductor.errors import ClusterFailed, Refused
from conductor.run_directory import CHECKOUT, RunDirectory

Tell = Callable[[str], None]

RELEASE = "orders"
GREEN = "orders-green"
"""The release beside it, when there is one; see conductor.cluster.blue_green."""

CHART = CHECKOUT / "charts" / "orders"
OVERLAYS = CHECKOUT / "k8s" / "overlays"
PLATFORM = "app.kubernetes.io/managed-by=kustomize"
KINDS = (
    *("statefulset", "deployment", "service", "configmap", "networkpolicy"),
    *("serviceaccount", "role", "rolebinding", "resourcequota", "limitrange"),
)
"""What the overlays are made of, besides the namespace."""
API = f"http://{RELEASE}-api:8000"
MIGRATED = "--no-hooks"
"""To helm: the upgrade just before brought the schema to where it must be."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is installed where. `extra` are further arguments for helm, such as `--values FILE`."""

    namespace: str = NAMESPACE
    overlay: str = "kind"
    tag: str = "dev"
    broker: Broker = "rabbitmq"
    within_seconds: int = 300
    extra: Sequence[str] = ()

    @property
    def kubectl(self) -> Kubectl:
        """The cluster, in this namespace."""
        return Kubectl(self.namespace)


def deploy(wanted: Installation, tell: Tell) -> None:
    """Secrets, platform, orders, catalogue; returns when all of it is ready. Raises ClusterFailed with what kubectl or helm said."""
    make_secrets(wanted, tell)
    tell(f"platform: k8s/overlays/{wanted.overlay}")
    wanted.kubectl("apply", "--server-side", "--field-manager=capstone", "--filename", "-", given=rendered(wanted))
    wait_for_platform(wanted)
    tell(f"orders: charts/orders with the image {images.name('orders', wanted.tag)}")
    install_orders(wanted)
    tell("catalogue")
    stock(wanted)


def make_secrets(wanted: Installation, tell: Tell) -> list[str]:
    """Make the namespace and the Secrets that are missing; the names of the new ones. What is there stays as it is."""
    kubectl = wanted.kubectl
    namespace = yaml.safe_load((CHECKOUT / "k8s" / "base" / "namespace.yaml").read_text())
    namespace["metadata"]["name"] = wanted.namespace
    kubectl.apply(namespace)
    known = {name: values for name in secrets.names() if (values := kubectl.secret(name)) is not None}
    fresh = secrets.missing(known, namespace=wanted.namespace, broker=wanted.broker)
    if fresh:
        kubectl.create(*(secret(name, values) for name, values in fresh.items()))
    tell(f"secrets: made {', '.join(fresh)}" if fresh else "secrets: all there")
    return list(fresh)


def secret(name: str, values: dict[str, str]) -> dict[str, object]:
    """A Secret's manifest."""
    labels = {"app.kubernetes.io/part-of": "celery-capstones"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "type": "Opaque",
        "stringData": values,
    }


def rendered(wanted: Installation) -> str:
    """The overlay's objects in the wanted namespace, with the wanted image, as YAML. Refused when there is no such overlay."""
    overlay = OVERLAYS / wanted.overlay
    if not (overlay / "kustomization.yaml").is_file():
        known = ", ".join(sorted(path.parent.name for path in OVERLAYS.glob("*/kustomization.yaml")))
        raise Refused(f'--overlay "{wanted.overlay}": there are {known}')
    folder = RunDirectory.chosen().path / "kustomize" / f"{wanted.namespace}-{wanted.overlay}"
    folder.mkdir(parents=True, exist_ok=True)
    on_top = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": wanted.namespace,
        "resources": [os.path.relpath(overlay, folder)],
        "images": [
            {"name": images.PREFIX + "/" + service, "newTag": wanted.tag} for service in ("outside", "conductor")
        ],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(on_top))
    return run(["kubectl", "kustomize", str(folder)])


def wait_for_platform(wanted: Installation) -> None:
    """Return when every server is ready. Raises ClusterFailed that names what is not."""
    wanted.kubectl.await_rolled_out(*wanted.kubectl.workloads(PLATFORM), within_seconds=wanted.within_seconds)


def install_orders(wanted: Installation) -> None:
    """Install the chart, or bring the release to what it should be, and wait until its pools are ready.

    To another version its workers come first, and then who only sends them work (see conductor.cluster.version_upgrade).
    """
    before = tag_of(wanted.namespace)
    if before in ("", wanted.tag):
        _install(wanted)
    else:
        _install(wanted, "--set-string", f"image.producersTag={before}")
        _install(wanted, MIGRATED)


def _install(wanted: Installation, *more: str) -> None:
    told = OVERLAYS / wanted.overlay / "orders-values.yaml"
    run(
        [
            *("helm", "upgrade", "--install", RELEASE, str(CHART), "--namespace", wanted.namespace),
            *("--set", f"image.tag={wanted.tag}", "--set", f"broker={wanted.broker}"),
            *("--set-string", f"secretChecksum={checksum(wanted.kubectl)}"),
            *(("--values", str(told)) if told.exists() else ()),
            *("--wait", "--timeout", f"{wanted.within_seconds}s", *wanted.extra, *more),
        ]
    )


def upgrade(
    namespace: str,
    *settings: str,
    values: Mapping[str, object] | None = None,
    within_seconds: int,
    release: str = RELEASE,
    migrated: bool = False,
) -> None:
    """Change these `key=value`, texts all, of the release and nothing else, and wait until its pools are ready.

    What an older chart did not know yet is taken from this one's defaults. With `values` the release is told these and nothing it was
    told before. The schema is brought to where the image needs it first, unless that is done.
    """
    told = [part for setting in settings for part in ("--set-string", setting)]
    kept = ("--reset-then-reuse-values",) if values is None else ("--reset-values", "--values", "-")
    where = ("--namespace", namespace, *kept)
    argv = ["helm", "upgrade", release, str(CHART), *where, *told, "--wait", "--timeout", f"{within_seconds}s"]
    argv += [MIGRATED] if migrated else []
    run(argv, given=None if values is None else json.dumps(values))


def tag_of(namespace: str) -> str:
    """The version of the release, or nothing where there is none."""
    listed = run(["helm", "list", "--namespace", namespace, "--filter", f"^{RELEASE}$", "--output", "json"])
    return str(values_of(namespace).get("image", {}).get("tag", "")) if json.loads(listed) else ""


def values_of(namespace: str, release: str = RELEASE) -> dict[str, Any]:
    """What the release was told."""
    said = run(["helm", "get", "values", release, "--namespace", namespace, "--output", "json"])
    return json.loads(said) or {}


def roll_orders(wanted: Installation) -> None:
    """Bring the pods of each release to what their Secret now says, everything else as it is, and wait until its pools are ready."""
    changed = f"secretChecksum={checksum(wanted.kubectl)}"
    listed = run(["helm", "list", "--namespace", wanted.namespace, "--short"]).split()
    for release in (RELEASE, *({GREEN} & set(listed))):
        upgrade(wanted.namespace, changed, within_seconds=wanted.within_seconds, release=release)


def checksum(kubectl: Kubectl) -> str:
    """What changes when the orders' Secret does, and tells nothing of it."""
    values = kubectl.secret(RELEASE) or {}
    return hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()[:16]


def stock(wanted: Installation) -> None:
    """Fill the catalogue, from inside."""
    ended = _ordered(wanted, "catalogue", 0, within_seconds=120)
    if ended.status:
        raise ClusterFailed(f"the catalogue could not be filled: {ended.output.strip()[-500:]}")


def smoke(wanted: Installation, orders: int) -> Ended:
    """Place orders from inside the cluster and see them delivered; what it said, JSON in the last line."""
    return _ordered(wanted, "smoke", orders, within_seconds=300)


def _ordered(wanted: Installation, name: str, orders: int, *, within_seconds: int) -> Ended:
    argv = ["python", "-m", "conductor.capstones.orders.smoke", "--api", API, "--orders", str(orders)]
    image = images.name("conductor", wanted.tag)
    return jobs.run(wanted.kubectl, Program(name, argv, image, within_seconds=within_seconds))


def undeploy(wanted: Installation, tell: Tell, *, volumes: bool) -> None:
    """Take everything away again; with `volumes` what was stored and the Secrets as well, which nothing brings back."""
    kubectl = wanted.kubectl
    tell("orders")
    for release in (GREEN, RELEASE):
        run(["helm", "uninstall", release, "--namespace", wanted.namespace, "--ignore-not-found", "--wait"])
    tell("platform")
    kubectl("delete", ",".join(KINDS), "--selector", PLATFORM, "--ignore-not-found", "--wait")
    kubectl("delete", "jobs", "--selector", "app.kubernetes.io/name=conductor", "--ignore-not-found")
    if volumes:
        tell("volumes and secrets")
        run(["kubectl", "delete", "namespace", wanted.namespace, "--ignore-not-found", "--wait"])


def reachable() -> bool:
    """Whether kubectl has a cluster that answers."""
    try:
        run(["kubectl", "version", "--output", "json"])
    except (ClusterFailed, subprocess.SubprocessError):
        return False
    return True


def kind_up(configuration: Path, name: str) -> None:
    """Make a cluster with kind; its context becomes kubectl's current one."""
    run(["kind", "create", "cluster", "--name", name, "--config", str(configuration), "--wait", "120s"], shown=True)


def kind_down(name: str) -> None:
    """Remove it."""
    run(["kind", "delete", "cluster", "--name", name], shown=True)
