"""The processes of a pod, by `kubectl exec`: standard library only in there, so that any image with Python will do."""

import json
from collections.abc import Mapping

from conductor.cluster.kubectl import Kubectl

_NAMES = """
import contextlib, json, os
names = {}
for pid in filter(str.isdigit, os.listdir('/proc')):
    with contextlib.suppress(OSError), open(f'/proc/{pid}/comm') as file:
        names[pid] = file.read().strip()
print(json.dumps({pid: name for pid, name in names.items() if int(pid) not in (1, os.getpid())}))
"""


def names(kubectl: Kubectl, pod: str) -> Mapping[int, str]:
    """What runs in a pod besides its first process, by the ids that processes have there."""
    found: dict[str, str] = json.loads(kubectl("exec", pod, "--", "python", "-S", "-c", _NAMES))
    return {int(pid): name for pid, name in found.items()}


def send(kubectl: Kubectl, pod: str, pid: int, signal: int) -> None:
    """Signal one of these. Raises ClusterFailed when it is gone."""
    kubectl("exec", pod, "--", "python", "-S", "-c", f"import os; os.kill({pid}, {signal})")
