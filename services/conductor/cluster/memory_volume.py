"""A small file system in the place of a pod's volume, for a while: an emptyDir in memory. When it is full, the kernel says ENOSPC.

The volume of a pod is mostly a part of a node's disk, and what fills that fills it for all pods. A container beside the pool's own
copies the volume into the small one before that begins, and back when it has ended. Whoever loses the node meanwhile loses what was
written since: this is for drills only.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from conductor.cluster.kubectl import Kubectl

ROLLED_SECONDS = 300
VOLUME, COPIER = "small-volume", "volume-copy"
"""What is added to a pod."""
AT = "/volume"
"""Where the copier has the pod's own volume."""

_COPY = """
import os, shutil, signal, sys
volume, small = sys.argv[1:]
def copy(source, target):
    for entry in os.scandir(source):
        if entry.name in ('lost+found', '.copied', 'ballast'):
            continue
        to = os.path.join(target, entry.name)
        if entry.is_dir():
            os.makedirs(to, exist_ok=True)
            copy(entry.path, to)
        elif entry.is_file():
            shutil.copyfile(entry.path, to)
            os.chmod(to, 0o600)
def drop_others(source, target):
    for folder, _, names in os.walk(target):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.exists(os.path.join(source, os.path.relpath(path, target))):
                os.unlink(path)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
copied = os.path.join(small, '.copied')
if not os.path.exists(copied):
    copy(volume, small)
    open(copied, 'w').close()
signal.sigwait({signal.SIGTERM})
copy(small, volume)
drop_others(small, volume)
"""
_USED = """
import os, sys
sizes = (os.stat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(sys.argv[1]) for name in names)
print(sum(sizes) >> 20)
"""
_FILL = """
import errno, os, sys
with open(os.path.join(sys.argv[1], 'ballast'), 'ab', buffering=0) as file:
    for size in (1 << 20, 4096):
        try:
            while True:
                file.write(bytes(size))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    print(file.tell())
"""
_FREE = "import os, sys; os.unlink(os.path.join(sys.argv[1], 'ballast'))"


class MemoryVolume:
    """See conductor.runtime.SmallVolume."""

    def __init__(self, kubectl: Kubectl, pod: str, folder: str) -> None:
        self._kubectl, self._pod, self._folder = kubectl, pod, folder

    def fill(self) -> int:
        return int(run(self._kubectl, self._pod, _FILL, self._folder))

    def free(self) -> None:
        run(self._kubectl, self._pod, _FREE, self._folder)


def run(kubectl: Kubectl, pod: str, program: str, *arguments: str) -> str:
    """What a program says in the pod, by the standard library alone."""
    return kubectl("exec", pod, "--", "python", "-S", "-c", program, *arguments)


@contextlib.contextmanager
def mounted(kubectl: Kubectl, workload: str, pod: str, folder: str, free_mebibytes: int) -> Iterator[MemoryVolume]:
    """The pod of a StatefulSet has the small file system at the folder in the block. It is replaced before it and after it."""
    mebibytes = int(run(kubectl, pod, _USED, folder)) + 1 + free_mebibytes
    spec = json.loads(kubectl("get", workload, "--output", "json"))["spec"]["template"]["spec"]
    there, back = patches(spec, folder, mebibytes)
    try:
        _patch(kubectl, workload, there)
        yield MemoryVolume(kubectl, pod, folder)
    finally:
        _patch(kubectl, workload, back)


def patches(spec: Mapping[str, Any], folder: str, mebibytes: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is said of a pod to give it the small file system, and to take that away again; for a strategic merge."""
    container = spec["containers"][0]
    volume = next(one["name"] for one in container["volumeMounts"] if one["mountPath"] == folder)
    copier = {
        "name": COPIER,
        # One that runs beside the others, and ends after them.
        "restartPolicy": "Always",
        "image": container["image"],
        "imagePullPolicy": container["imagePullPolicy"],
        "command": ["python", "-S", "-c", _COPY, AT, folder],
        "securityContext": container["securityContext"],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "startupProbe": {
            "exec": {"command": ["test", "-e", f"{folder}/.copied"]},
            "periodSeconds": 1,
            "failureThreshold": ROLLED_SECONDS,
        },
        "volumeMounts": [{"name": volume, "mountPath": AT}, {"name": VOLUME, "mountPath": folder}],
    }
    small = {"name": VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": f"{mebibytes}Mi"}}
    gone = {"$patch": "delete"}
    return (
        _template(container["name"], folder, VOLUME, copier, small),
        _template(container["name"], folder, volume, {"name": COPIER, **gone}, {"name": VOLUME, **gone}),
    )


def _template(
    container: str, folder: str, mounted_there: str, copier: Mapping[str, Any], small: Mapping[str, Any]
) -> dict[str, Any]:
    mounts = [{"mountPath": folder, "name": mounted_there}]
    own = {"name": container, "volumeMounts": mounts}
    return {"spec": {"template": {"spec": {"initContainers": [copier], "containers": [own], "volumes": [small]}}}}


def _patch(kubectl: Kubectl, workload: str, said: Mapping[str, Any]) -> None:
    kubectl("patch", workload, "--type", "strategic", "--patch", json.dumps(said))
    kubectl.await_rolled_out(workload, within_seconds=ROLLED_SECONDS)
