"""Copies a folder of a pod to this machine, also while it is written: files as they are when they are read, each once."""

import subprocess
import tarfile
from pathlib import Path

from conductor.cluster.kubectl import Kubectl, tool
from conductor.errors import ClusterFailed

_PACK = """
import contextlib, gzip, os, sys, tarfile
with gzip.GzipFile(fileobj=sys.stdout.buffer, mode='wb', compresslevel=1) as out, tarfile.open(fileobj=out, mode='w|') as packed:
    for folder, _, names in os.walk('.'):
        for name in names:
            path = os.path.join(folder, name)
            # One that was replaced meanwhile has a successor, and a socket holds nothing.
            with contextlib.suppress(FileNotFoundError):
                if os.path.isfile(path):
                    packed.add(path)
"""
"""`tar` itself ends with an error when a file changes meanwhile. What was preallocated is zeros, which take no room on the way."""


def copy_folder(kubectl: Kubectl, pod: str, folder: str, to: Path) -> None:
    """Copy all files below a folder of the pod into `to`. Raises ClusterFailed with what kubectl said."""
    argv = [tool("kubectl"), "--namespace", kubectl.namespace, "exec", pod, "--"]
    argv += ["sh", "-c", 'cd "$1" && exec python -S -c "$2"', "sh", folder, _PACK]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|gz") as packed:
                packed.extractall(to, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            process.kill()
            said = process.stderr.read().decode(errors="replace").strip()
            raise ClusterFailed(f"{folder} of {pod} could not be copied: {said or error}") from error
        if process.wait():
            said = process.stderr.read().decode(errors="replace").strip()
            raise ClusterFailed(f"{folder} of {pod} could not be copied: {said}")
