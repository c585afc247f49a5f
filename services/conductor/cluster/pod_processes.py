"""The processes of a pod, by `kubectl exec`: standard library only in there, so that any image with Python will do."""

import json
from collections.abc import Mapping

from conductor.cluster.kubectl import Kubectl

_NAMES = """
import contextlib, json, os, sys
names = {}
for pid in filter(str.isdigit, os.listdir('/proc')):
    with contextlib.suppress(OSError), open(f'/proc/{pid}/comm') as file:
        names[int(pid)] = file.read().strip()
names = {pid: name for pid, name in names.items() if pid not in (1, os.getpid())}
"""
_SHOW = "print(json.dumps(names))"
_SEND = """
wanted, number = sys.argv[1:]
for pid, name in names.items():
    if name == wanted:
        os.kill(pid, int(number))
        sys.exit(print(pid))
sys.exit(f'there is no {wanted}, there are {sorted(names.values())}')
"""
_KILL_FIRST = "import resource; resource.prlimit(1, resource.RLIMIT_CPU, (1, 1))"
"""No process of a container can signal the first one with SIGKILL. The kernel can, and does when it used more CPU than it may: 1 s."""


def kill_first(kubectl: Kubectl, pod: str) -> None:
    """Have the first process of a pod's container killed, and with it all others there. ClusterFailed, also when it was that quick."""
    kubectl("exec", pod, "--", "python", "-S", "-c", _KILL_FIRST)


def names(kubectl: Kubectl, pod: str) -> Mapping[int, str]:
    """What runs in a pod besides its first process, by the ids that processes have there."""
    found: dict[str, str] = json.loads(kubectl("exec", pod, "--", "python", "-S", "-c", _NAMES + _SHOW))
    return {int(pid): name for pid, name in found.items()}


def send(kubectl: Kubectl, pod: str, name: str, signal: int) -> int:
    """Signal the one of this name; its id. Raises ClusterFailed when there is none now."""
    return int(kubectl("exec", pod, "--", "python", "-S", "-c", _NAMES + _SEND, name, str(int(signal))))
