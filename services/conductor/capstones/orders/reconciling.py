"""Runs the orders' own reconciliation (`python -m orders.reconciliation`) against the platform of a run directory."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conductor.errors import BackupFailed, Refused
from conductor.laptop import restore_points
from conductor.laptop.runtime import LocalRuntime


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What the tool told, and its exit status: 1 when a person has to decide something, or it is to be run again."""

    told: dict[str, Any]
    status: int


def reconcile(
    runtime: LocalRuntime,
    since: datetime | None = None,
    *,
    apply: bool = False,
    undo: bool = False,
    refund: Sequence[str] = (),
    actor: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Reconciled:
    """Compare, and settle when told to; `settings` are environment variables of the tool. Raises Refused, BackupFailed.

    After it was settled once, the database that was restored may be worked on.
    """
    run = runtime.platform.run
    point = restore_points.load(run)
    if since is None and point is None:
        raise Refused("nothing was restored here: --since TIME says from when on")
    since = since or (point.since if point else None)
    assert since is not None, "one of the two is given"
    argv = [sys.executable, "-m", "orders.reconciliation", "--since", since.isoformat(), "--json"]
    argv += [*["--apply"] * apply, *["--undo"] * undo, *(["--actor", actor] if actor else [])]
    argv += ["--refund", *refund] if refund else []
    argv += ["--list", str(run.recovery_list)] if run.recovery_list.exists() else []
    environment = {**runtime.service_environment(), **(settings or {})}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        raise BackupFailed(f"it was not reconciled: {done.stderr.strip()[-500:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    failed = any(one["outcome"] == "failed" for one in told["differences"])
    if apply and not failed and point is not None and since <= point.since:
        restore_points.save(point.as_reconciled(), run)
    return Reconciled(told, done.returncode)


def lines(done: Reconciled) -> list[str]:
    """The same for people."""
    return [*(one["text"] for one in done.told["differences"]), done.told["summary"]]
