"""The objects of an overlay, and of what a capstone stands on besides it: rendered, applied, and removed where another one left them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from conductor.cluster import images, pod_references
from conductor.cluster.installation import PLATFORM, Installation
from conductor.cluster.kubectl import run
from conductor.cluster.names import OVERLAYS, Names, charts
from conductor.errors import ClusterFailed, Refused
from conductor.run_directory import RunDirectory

KINDS = (
    *("statefulset", "deployment", "service", "configmap", "networkpolicy"),
    *("serviceaccount", "role", "rolebinding", "resourcequota", "limitrange", "poddisruptionbudget"),
)
"""What the overlays are made of, besides the namespace and RIGHTS."""

RIGHTS = ("ClusterRole", "ClusterRoleBinding")
"""What of them is in no namespace: one of each at most. Its name says whose it is."""

RIGHTS_NAME = "capstones-kubelets"
"""In the manifests."""


def folder_of(wanted: Installation) -> Path:
    """The folder of the overlay. Refused when there is no such overlay."""
    overlay = OVERLAYS / wanted.overlay
    if not (overlay / "kustomization.yaml").is_file():
        known = ", ".join(sorted(path.parent.name for path in OVERLAYS.glob("*/kustomization.yaml")))
        raise Refused(f'--overlay "{wanted.overlay}": there are {known}')
    return overlay


def rendered(wanted: Installation, source: Path, *patches: Mapping[str, object]) -> str:
    """The objects of a folder in the wanted namespace, with the wanted image, as YAML."""
    folder = RunDirectory.chosen().path / "kustomize" / f"{wanted.namespace}-{source.name}"
    folder.mkdir(parents=True, exist_ok=True)
    on_top = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": wanted.namespace,
        "resources": [os.path.relpath(source, folder)],
        "images": [{"name": images.PREFIX + "/" + service, "newTag": wanted.tag} for service in images.SHARED],
        "patches": [*patches, *_renamed_rights(wanted)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(on_top))
    return run(["kubectl", "kustomize", str(folder)])


def named_rights(wanted: Installation) -> list[str]:
    """What is in no namespace and belongs to the wanted one, as `kind/name`, whether it is there or not."""
    return [f"{kind.lower()}/{_name_of_rights(wanted)}" for kind in RIGHTS]


def rights(wanted: Installation) -> list[str]:
    """What of that is there, as kubectl names it; nothing for who may not ask, and so made none."""
    try:
        return wanted.kubectl("get", *named_rights(wanted), "--ignore-not-found", "--output", "name").split()
    except ClusterFailed as error:
        if "(Forbidden)" not in str(error):
            raise
        return []


def _name_of_rights(wanted: Installation) -> str:
    return f"{wanted.namespace}-kubelets"


def _renamed_rights(wanted: Installation) -> Iterator[Mapping[str, object]]:
    """Patches that name RIGHTS after the namespace; of two installations in a cluster each has its own."""
    for kind, paths in zip(RIGHTS, (("/metadata/name",), ("/metadata/name", "/roleRef/name")), strict=True):
        named = [{"op": "replace", "path": path, "value": _name_of_rights(wanted)} for path in paths]
        target = {"kind": kind, "name": RIGHTS_NAME}
        yield {"target": target, "patch": yaml.safe_dump(named), "options": {"allowNameChange": True}}


def apply(wanted: Installation, source: Path, *patches: Mapping[str, object]) -> None:
    """Make the objects of a folder what it says, in the wanted namespace."""
    objects = rendered(wanted, source, *patches)
    wanted.kubectl("apply", "--server-side", "--field-manager=capstone", "--filename", "-", given=objects)


def sources(wanted: Installation, capstones: Sequence[str]) -> list[Path]:
    """The folders whose objects stay when these capstones are deployed. Another capstone may stand on what any overlay brought for it."""
    own = [path for name in charts() if name not in capstones for path in Names(name).platforms]
    own += [path for name in capstones if (path := Names(name).platform_of(wanted.overlay)).is_dir()]
    return [folder_of(wanted), *own]


def prune(wanted: Installation, capstones: Sequence[str]) -> list[str]:
    """Remove the objects that an overlay brought and the wanted one does not, with what was stored left; their names, as `kind/name`.

    What the pods of a workload that stays need is left: a capstone that is not deployed now may run as another checkout made it.
    """
    of_these = ("get", "--filename", "-", "--ignore-not-found", "--output", "name")
    kept = {
        name
        for one in sources(wanted, capstones)
        for name in wanted.kubectl(*of_these, given=rendered(wanted, one)).split()
    }
    listed = wanted.kubectl("get", ",".join(KINDS), "--selector", PLATFORM, "--output", "name").split()
    listed += rights(wanted)
    left = [name for name in listed if name not in kept]
    if left:
        needed = pod_references.of_workloads(wanted.kubectl, without=left)
        left = [name for name in left if name not in needed]
    if left:
        wanted.kubectl("delete", *left, "--wait=false")
    return left


def wait(wanted: Installation) -> None:
    """Return when every server is ready. Raises ClusterFailed that names what is not."""
    wanted.kubectl.await_rolled_out(*wanted.kubectl.workloads(PLATFORM), within_seconds=wanted.within_seconds)
