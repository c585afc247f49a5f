"""Brings the database in a cluster back to an earlier time: pools to nothing, the server away, a Job on its volumes, the server again.

The pools stay away until the capstone was reconciled. What is on the way is written on the database's StatefulSet, so that another
terminal may go on.
"""

import contextlib
import copy
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from conductor.cluster import jobs
from conductor.cluster.installation import PART_OF
from conductor.cluster.kubectl import Kubectl
from conductor.errors import ClusterFailed, Refused
from conductor.waiting import until

Tell = Callable[[str], None]

DATABASE = "statefulset/postgres"
SCRIPTS = "/etc/postgres-backup"
RESTORED, RECONCILED, REPLICAS = (f"celery-capstones/{name}" for name in ("restored-to", "reconciled", "replicas"))
WITHIN_SECONDS = 900
ENDED_SECONDS = 180.0
PAUSED = "autoscaling.keda.sh/paused-replicas"
POOLS = f"app.kubernetes.io/part-of={PART_OF},app.kubernetes.io/managed-by=Helm"
"""Of every release of every capstone: all of them write to the one PostgreSQL, which is brought back as a whole."""


def backup(kubectl: Kubectl) -> str:
    """Make a base backup now; what was said about it. Raises ClusterFailed."""
    return kubectl("exec", "postgres-0", "--container", "backup", "--", "sh", f"{SCRIPTS}/base-backup.sh")


def restore(kubectl: Kubectl, to: datetime, tell: Tell) -> str:
    """Bring the database back to `to`; the pools stay away. What the restore said. Raises ClusterFailed: the old data is back then."""
    tell("stopping the pools")
    _stop_pools(kubectl)
    tell("closing the log")
    with contextlib.suppress(ClusterFailed):
        # A server that is gone has archived what it could.
        # A commit, however idle the server is: by it a recovery knows that a time before now was reached.
        close = ("--command", "SELECT pg_current_xact_id()", "--command", "SELECT pg_switch_wal()")
        kubectl("exec", "postgres-0", "--container", "postgres", "--", "psql", "--username", "postgres", *close)
    tell("stopping the database")
    server = json.loads(kubectl("get", DATABASE, "--output", "json"))
    _scale(kubectl, DATABASE, 0, "app.kubernetes.io/name=postgres,app.kubernetes.io/component=database")
    try:
        tell(f"restoring to {to.isoformat()}")
        ended = jobs.run_job(kubectl, restoring(server, to))
        if ended.status:
            raise ClusterFailed(f"not restored: {ended.output.strip()[-800:]}")
        kubectl("annotate", "--overwrite", DATABASE, f"{RESTORED}={to.isoformat()}", f"{RECONCILED}=no")
    finally:
        tell("starting the database")
        kubectl("scale", DATABASE, "--replicas=1")
        kubectl.await_rolled_out(DATABASE, within_seconds=WITHIN_SECONDS)
    return ended.output.strip()


def restoring(server: dict[str, Any], to: datetime) -> dict[str, Any]:
    """The Job that restores on the volumes of this StatefulSet, which must have no pod."""
    pod = copy.deepcopy(server["spec"]["template"]["spec"])
    container = next(one for one in pod["containers"] if one["name"] == "postgres")
    for part in ("args", "ports", "startupProbe", "readinessProbe", "livenessProbe"):
        container.pop(part, None)
    container["command"] = ["sh", f"{SCRIPTS}/restore.sh", to.isoformat()]
    pod |= {"containers": [container], "restartPolicy": "Never"}
    pod["volumes"] = [*pod["volumes"], {"name": "data", "persistentVolumeClaim": {"claimName": "data-postgres-0"}}]
    # Closed as the platform is, and no part of the database's service.
    labels = {"app.kubernetes.io/name": "postgres-restore", "app.kubernetes.io/managed-by": "kustomize"}
    return jobs.job("postgres-restore-", labels, pod, within_seconds=WITHIN_SECONDS)


def restored_to(kubectl: Kubectl) -> datetime | None:
    """The time that the database was brought back to; None when it never was."""
    noted = _notes(kubectl).get(RESTORED)
    return datetime.fromisoformat(noted) if noted else None


def note_reconciled(kubectl: Kubectl) -> None:
    """Write down that the database may be worked on: what the outside did since was compared and settled."""
    kubectl("annotate", "--overwrite", DATABASE, f"{RECONCILED}=yes")


def _notes(kubectl: Kubectl) -> dict[str, str]:
    found: dict[str, str] = json.loads(kubectl("get", DATABASE, "--output", "json"))["metadata"].get("annotations", {})
    return found


def resume(kubectl: Kubectl, tell: Tell) -> None:
    """Bring the pools back as they were, and wait until they are ready. Refused while the restored database was not reconciled."""
    notes = _notes(kubectl)
    if notes.get(RECONCILED) == "no":
        raise Refused(
            f"the database was restored to {notes[RESTORED]} and not reconciled: `capstone cluster-restore reconcile --apply` first"
        )
    for pool in _pools(kubectl):
        replicas = pool["metadata"].get("annotations", {}).get(REPLICAS)
        if replicas is not None:
            name = _name(pool)
            tell(f"{name}: {replicas}")
            kubectl("scale", name, f"--replicas={replicas}")
            kubectl("annotate", name, f"{REPLICAS}-")
    _autoscaled(kubectl, f"{PAUSED}-")
    kubectl.await_rolled_out(*kubectl.workloads(POOLS), within_seconds=WITHIN_SECONDS)


def _pools(kubectl: Kubectl) -> list[dict[str, Any]]:
    listed = kubectl("get", "deployment,statefulset", "--selector", POOLS, "--output", "json")
    found: list[dict[str, Any]] = json.loads(listed)["items"]
    return found


def _name(pool: dict[str, Any]) -> str:
    return f"{pool['kind'].lower()}/{pool['metadata']['name']}"


def _stop_pools(kubectl: Kubectl) -> None:
    _autoscaled(kubectl, f"{PAUSED}=0", "--overwrite")
    for pool in _pools(kubectl):
        name, replicas = _name(pool), pool["spec"]["replicas"]
        if replicas:
            kubectl("annotate", "--overwrite", name, f"{REPLICAS}={replicas}")
            kubectl("scale", name, "--replicas=0")
    _await_gone(kubectl, POOLS)


def _autoscaled(kubectl: Kubectl, *change: str) -> None:
    with contextlib.suppress(ClusterFailed):
        # Where there is no KEDA there is nothing to pause.
        kubectl("annotate", "scaledobject", "--selector", POOLS, *change)


def _scale(kubectl: Kubectl, name: str, replicas: int, selector: str) -> None:
    kubectl("scale", name, f"--replicas={replicas}")
    _await_gone(kubectl, selector)


def _await_gone(kubectl: Kubectl, selector: str) -> None:
    def gone() -> bool:
        return not [pod for pod in kubectl.pods(selector) if pod["status"].get("phase") not in ("Succeeded", "Failed")]

    if not until(gone, within_seconds=ENDED_SECONDS, every_seconds=1.0):
        raise ClusterFailed(f"pods with {selector} are still there after {ENDED_SECONDS:.0f} s")
