"""Runs the orders' own reconciliation (`python -m orders.reconciliation`) in a cluster, after its database was restored."""

import copy
import getpass
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from conductor.capstones.orders import NAME
from conductor.cluster import jobs, restore
from conductor.cluster.jobs import Ended
from conductor.cluster.kubectl import Kubectl
from conductor.errors import Refused
from conductor.history import since_of

TOOLS_POOL = f"{NAME}-payments"
"""Whose settings and image the reconciliation has."""


def reconcile(kubectl: Kubectl, since: datetime | None, *, apply: bool, undo: bool, refund: Sequence[str]) -> Ended:
    """Run the orders' reconciliation inside. Returns what it said. Refused when nothing was restored and no time is given."""
    if since is None:
        restored = restore.restored_to(kubectl)
        if restored is None:
            raise Refused("nothing was restored here: --since TIME says from when on")
        since = since_of(restored)
    argv = ["python", "-m", "orders.reconciliation", "--since", since.isoformat(), "--actor", getpass.getuser()]
    argv += ["--apply"] * apply + ["--undo"] * undo + (["--refund", *refund] if refund else [])
    pool = json.loads(kubectl("get", f"deployment/{TOOLS_POOL}", "--output", "json"))
    ended = jobs.run_job(kubectl, job(pool, argv))
    if apply and "  failed  " not in ended.output and "error:" not in ended.output:
        restore.note_reconciled(kubectl)
    return ended


def job(pool: dict[str, Any], argv: Sequence[str]) -> dict[str, Any]:
    """The Job that runs a tool of the orders as this Deployment's pods would."""
    pod = copy.deepcopy(pool["spec"]["template"]["spec"])
    container = pod["containers"][0]
    for part in ("args", "ports", "lifecycle", "startupProbe", "readinessProbe", "livenessProbe"):
        container.pop(part, None)
    container["command"] = list(argv)
    pod |= {"restartPolicy": "Never", "terminationGracePeriodSeconds": 30}
    # All labels but one: network policies know the release's pods by them.
    labels = {**pool["metadata"]["labels"], "app.kubernetes.io/component": "reconciliation"}
    return jobs.job(
        f"{NAME}-reconciliation-",
        labels,
        pod,
        within_seconds=restore.WITHIN_SECONDS,
    )
