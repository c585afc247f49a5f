"""Brings the platform and capstones to a cluster, from nothing or from what is there: the same call again changes nothing."""

import hashlib
import importlib.util
import os
from collections.abc import Sequence

import yaml

from conductor.capstone import load
from conductor.cluster import helm, images, jobs, log_collector, logins, overlays, quorum_queues, secrets
from conductor.cluster.installation import PART_OF, PLATFORM, Installation, Tell
from conductor.cluster.jobs import Ended, Program
from conductor.cluster.kubectl import Kubectl, run
from conductor.cluster.names import Names, charts
from conductor.errors import ClusterFailed, NotRunning, Refused
from conductor.run_directory import CHECKOUT

REACHED_WITHIN_SECONDS = 30.0


def deploy(wanted: Installation, capstones: Sequence[str], tell: Tell) -> None:
    """Secrets, platform and these capstones, beside those that are there; returns when all of it is ready.

    Raises ClusterFailed with what kubectl or helm said.
    """
    make_secrets(wanted, capstones, tell)
    for own in map(Names, capstones):
        found = {name: wanted.kubectl.secret(name) or {} for name in (own.secret, *secrets.stores(own))}
        secrets.refuse_other_stores(own, found, own.settings_of(wanted.overlay))
    tell(f"platform: k8s/overlays/{wanted.overlay}")
    # One that has not succeeded would stay as it is, and be started again by nobody.
    wanted.kubectl("delete", "jobs", "--selector", PLATFORM, "--field-selector", "status.successful=0")
    overlays.apply(wanted, overlays.folder_of(wanted))
    for own in map(Names, capstones):
        beside = own.platform_of(wanted.overlay)
        if beside.is_dir():
            tell(f"platform of {own.capstone}: {os.path.relpath(beside, CHECKOUT)}")
            overlays.apply(wanted, beside)
    log_collector.bring(wanted, tell)
    if left := overlays.prune(wanted, capstones):
        tell(f"of another overlay, removed: {', '.join(left)}")
    overlays.wait(wanted)
    kubectl = wanted.kubectl
    tell("logins at database and broker")
    logins.to_database(kubectl, kubectl.secret("postgres") or {})
    logins.to_broker(kubectl, kubectl.secret("rabbitmq") or {})
    quorum_queues.ensure_members(kubectl, tell)
    for own in map(Names, capstones):
        tell(f"{own.release}: charts/{own.capstone} with the image {images.name(own.capstone, wanted.tag)}")
        install_release(wanted, own)
        if refers(own):
            tell(f"{own.capstone}: what requests refer to")
            stock(wanted, own)
    # Declared while a node was away, a queue has no member there.
    quorum_queues.ensure_members(kubectl, tell)


def installed(namespace: str) -> list[str]:
    """The capstones that have a release in the namespace, also one that failed or is under way."""
    states = ("--deployed", "--failed", "--pending")
    listed = run(["helm", "list", "--namespace", namespace, *states, "--short"]).split()
    return [name for name in charts() if Names(name).release in listed]


def chosen(namespace: str, capstone: str | None) -> str:
    """The capstone with this name, or the only one that is installed in the namespace. Refused, or NotRunning, otherwise."""
    if capstone is not None:
        if capstone not in charts():
            raise Refused(f'no capstone is named "{capstone}"; there are {", ".join(charts())}')
        return capstone
    found = installed(namespace)
    if not found:
        raise NotRunning(f'no capstone is installed in the namespace "{namespace}": `make deploy` installs one')
    if len(found) > 1:
        raise Refused(f"--capstone: which one? {', '.join(found)} are installed in the namespace {namespace}")
    return found[0]


def make_secrets(wanted: Installation, capstones: Sequence[str], tell: Tell) -> list[str]:
    """Make the namespace and the Secrets that are missing, and add these capstones to those of the servers. Returns their names.

    No value that is there changes.
    """
    kubectl = wanted.kubectl
    namespace = yaml.safe_load((CHECKOUT / "k8s" / "base" / "namespace.yaml").read_text())
    namespace["metadata"]["name"] = wanted.namespace
    kubectl.apply(namespace)
    every = dict.fromkeys((*_with_secrets(kubectl), *secrets.names(capstones)))
    known = {name: values for name in every if (values := kubectl.secret(name)) is not None}
    settings = {own.capstone: own.settings_of(wanted.overlay) for own in map(Names, capstones)}
    made = secrets.missing(
        known, namespace=wanted.namespace, capstones=capstones, broker=wanted.broker, settings=settings
    )
    if fresh := {name: values for name, values in made.items() if name not in known}:
        kubectl.create(*(secret(name, values) for name, values in fresh.items()))
    if grown := {name: values for name, values in made.items() if name in known}:
        kubectl.apply(*(secret(name, values) for name, values in grown.items()))
    tell(f"secrets: made {', '.join(fresh)}" if fresh else "secrets: all there")
    return list(made)


def _with_secrets(kubectl: Kubectl) -> list[str]:
    """The Secrets of an installation that are there."""
    selector = f"app.kubernetes.io/part-of={PART_OF}"
    found = kubectl("get", "secrets", "--selector", selector, "--output", "jsonpath={.items[*].metadata.name}")
    return found.split()


def secret(name: str, values: dict[str, str]) -> dict[str, object]:
    """A Secret's manifest."""
    labels = {"app.kubernetes.io/part-of": PART_OF}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "type": "Opaque",
        "stringData": values,
    }


def install_release(wanted: Installation, own: Names) -> None:
    """Install a capstone's chart, or bring its release to what it should be, and wait until its pools are ready.

    To another version its workers come first, and then who only sends them work (see conductor.cluster.version_upgrade).
    """
    before = helm.tag_of(wanted.namespace, own.release)
    if before in ("", wanted.tag):
        _install(wanted, own)
    else:
        _install(wanted, own, "--set-string", f"image.producersTag={before}")
        _install(wanted, own, helm.MIGRATED)


def _install(wanted: Installation, own: Names, *more: str) -> None:
    """Install or upgrade. What the API server would refuse is refused before anything changes: helm notices it half-way."""
    told = own.overlay_values(wanted.overlay)
    chosen = (
        *(own.release, str(own.chart), "--namespace", wanted.namespace),
        *("--set-string", f"image.tag={wanted.tag}", "--set", f"broker={wanted.broker}"),
        *("--set-string", f"secretChecksum={checksum(wanted.kubectl, own)}"),
        *(("--values", str(told)) if told.exists() else ()),
        *(*wanted.extra, *more),
    )
    objects = run(["helm", "template", "--dry-run=server", "--no-hooks", *chosen])
    as_helm = ("--server-side", "--force-conflicts", "--field-manager=helm", "--filename", "-")
    wanted.kubectl("apply", "--dry-run=server", *as_helm, given=objects)
    run(["helm", "upgrade", "--install", *chosen, "--wait", "--timeout", f"{wanted.within_seconds}s"])


def roll(wanted: Installation, own: Names) -> None:
    """Bring the pods of each release of a capstone to what their Secret now says, everything else as it is.

    Returns when its pools are ready.
    """
    changed = f"secretChecksum={checksum(wanted.kubectl, own)}"
    listed = run(["helm", "list", "--namespace", wanted.namespace, "--short"]).split()
    for release in (own.release, *({own.green} & set(listed))):
        helm.upgrade(wanted.namespace, own, changed, within_seconds=wanted.within_seconds, release=release)


def checksum(kubectl: Kubectl, own: Names) -> str:
    """What changes when a capstone's Secret does, and tells nothing of it."""
    values = kubectl.secret(own.secret) or {}
    return hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()[:16]


def can_smoke(own: Names) -> bool:
    """Whether the capstone has a program that fills in what requests refer to, sends some, and follows them to their end."""
    return importlib.util.find_spec(_smoke_program(own)) is not None


def refers(own: Names) -> bool:
    """Whether requests of the capstone refer to something that its program fills in."""
    return can_smoke(own) and load(own.capstone).prepare is not None


def _smoke_program(own: Names) -> str:
    return f"conductor.capstones.{own.capstone}.smoke"


def stock(wanted: Installation, own: Names) -> None:
    """Fill in what the requests of a capstone refer to, from inside."""
    ended = _requested(wanted, own, "prepare", 0, within_seconds=120)
    if ended.status:
        said = ended.output.strip()[-500:]
        raise ClusterFailed(f"what requests of {own.capstone} refer to could not be filled in: {said}")


def smoke(wanted: Installation, own: Names, requests: int) -> Ended:
    """Send requests from inside the cluster and see them completed; what it said, JSON in the last line. Refused without a program."""
    if not can_smoke(own):
        raise Refused(f"{own.capstone} has no smoke test: there is no {_smoke_program(own)}")
    return _requested(wanted, own, "smoke", requests, within_seconds=300)


def _requested(wanted: Installation, own: Names, name: str, requests: int, *, within_seconds: int) -> Ended:
    argv = ["python", "-m", _smoke_program(own), "--api", own.api, "--requests", str(requests)]
    image = images.name("conductor", wanted.tag)
    program = Program(name, argv, image, secret=own.conductor_secret, within_seconds=within_seconds)
    return jobs.run(wanted.kubectl, program)


def reachable() -> bool:
    """Whether kubectl has a cluster that answers."""
    try:
        run(["kubectl", "version", "--output", "json"], within_seconds=REACHED_WITHIN_SECONDS)
    except ClusterFailed:
        return False
    return True
