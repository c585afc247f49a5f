"""Gathers what a verdict needs: what clients were told, what the journal holds, what the service's own audit says of the journal,
and whether the positions in the database are those of the journal."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from conductor.capstones.trading import ENGINE, JOURNAL, journal_reader, promises
from conductor.capstones.trading.journal_reader import Journaled
from conductor.capstones.trading.promises import Told
from conductor.cluster.access import ClusterAccess
from conductor.run_directory import CHECKOUT
from conductor.runtime import Reach
from conductor.waiting import until

APPLIED_SECONDS = 60.0
"""How long the portfolio pool may take for what is in the journal: its batches may wait for a broker that was away."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a verdict is made from. `audit` is what verification and replay of the journal found wrong, `positions` where the database
    has others than the journal."""

    told: Told
    journal: Journaled
    audit: tuple[str, ...]
    positions: tuple[str, ...] = ()


def gather(access: Reach, journals: Iterable[Path]) -> Evidence:
    """All of it, as it is now."""
    # Before the journal: what is in it of an order that was sent since is no finding.
    told = promises.read(journals)
    folder = folder_of(access)
    return Evidence(told, journal_reader.read(folder / "journal"), audited(folder), reconciled(access, folder))


def folder_of(access: Reach) -> Path:
    """The folder of the shard, or a copy of it as it is now."""
    return Path(url2pathname(urlsplit(access.addresses()[JOURNAL]).path))


def audited(folder: Path) -> tuple[str, ...]:
    """What `trading.audit` says that is wrong with a journal: damage, and the first input whose outcomes a replay does not give again."""
    found = []
    for command in ("verify", "replay"):
        done = run_audit(command, str(folder))
        if done.returncode:
            found.append(f"audit {command}: {(done.stdout + done.stderr).strip()[-500:]}")
    return tuple(found)


def reconciled(access: Reach, folder: Path) -> tuple[str, ...]:
    """What `trading.reconcile` says that is wrong with the positions, once all that is in the journal now should be in them."""
    first = found = run_reconcile(access, folder)
    until_sequence = first.get("sequence", 0) + first.get("behind", 0)

    def applied() -> bool:
        nonlocal found
        if "error" in found or found["sequence"] < until_sequence:
            found = run_reconcile(access, folder)
        return "error" not in found and found["sequence"] >= until_sequence

    if not until(applied, within_seconds=APPLIED_SECONDS, every_seconds=1.0):
        said = found.get("error", f"{found.get('behind')} records of the journal are not in the positions")
        return (f"reconcile: {said}",)
    return tuple(found["named"])


def run_reconcile(access: Reach, folder: Path) -> dict[str, Any]:
    """What the service's own comparison of database and journal says; `error` when there is none."""
    if isinstance(access, ClusterAccess):
        # Where the journal goes on: the positions are soon ahead of a copy.
        return _said(access.inside(ENGINE, "python", "-m", "trading.reconcile", access.folder(ENGINE)))
    addresses = access.addresses()
    database = addresses["database"].replace("postgresql://", "postgresql+psycopg://", 1)
    done = subprocess.run(
        [sys.executable, "-m", "trading.reconcile", str(folder)],
        cwd=CHECKOUT,
        env={**os.environ, "DATABASE_URL": database, "BROKER_URL": addresses["broker"]},
        capture_output=True,
        text=True,
        check=False,
    )
    return _said(done.stderr + done.stdout)


def _said(printed: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((printed.strip().splitlines() or [""])[-1])
    except ValueError:
        return {"error": printed.strip()[-500:]}
    return found


def run_audit(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """The service's own tool."""
    return subprocess.run(
        [sys.executable, "-m", "trading.audit", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
