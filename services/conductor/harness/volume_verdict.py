"""The verdict on a load whose evidence lies on the volume of a pool: made outside the cluster, from a copy, with the service's own tools.

The judge inside keeps the history, and its image has no code of the service.
"""

from pathlib import Path

from conductor.capstone import Capstone
from conductor.cluster.access import ClusterAccess
from conductor.cluster.runtime import KubernetesRuntime
from conductor.verdict import Verdict


def judged(capstone: Capstone, runtime: KubernetesRuntime, history: Path) -> Verdict:
    """The verdict on a history. Raises ClusterFailed when the volume cannot be had."""
    with ClusterAccess(runtime.namespace, capstone.name) as reach:
        return capstone.judge(reach, [history], only_told=True)
