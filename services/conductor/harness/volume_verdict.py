"""The verdict on a load whose evidence lies on the volume of a pool: made outside the cluster, from a copy, with the service's own tools.

The judge inside keeps the history, and its image has no code of the service.
"""

import tempfile
from pathlib import Path

from conductor.capstone import Capstone
from conductor.cluster.access import ClusterAccess
from conductor.cluster.runtime import KubernetesRuntime
from conductor.harness.judge_rpc import HISTORY
from conductor.verdict import Verdict


def judged(capstone: Capstone, runtime: KubernetesRuntime, judge: str) -> Verdict:
    """The verdict on the history that the judge's pod keeps. Raises ClusterFailed when history or volume cannot be had."""
    history = runtime.kubectl("exec", judge, "--", "cat", HISTORY)
    with (
        tempfile.TemporaryDirectory(prefix="capstone-") as folder,
        ClusterAccess(runtime.namespace, capstone.name) as reach,
    ):
        told = Path(folder) / Path(HISTORY).name
        told.write_text(history)
        return capstone.judge(reach, [told], only_told=True)
