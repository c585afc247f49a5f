"""Gathers what a verdict needs: what clients were told, what the journal holds, and what the service's own audit says of the journal."""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from conductor.capstones.trading import JOURNAL, journal_reader, promises
from conductor.capstones.trading.journal_reader import Journaled
from conductor.capstones.trading.promises import Told
from conductor.errors import Refused
from conductor.run_directory import CHECKOUT
from conductor.runtime import Reach


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a verdict is made from. `audit` is what verification and replay of the journal found wrong."""

    told: Told
    journal: Journaled
    audit: tuple[str, ...]


def gather(access: Reach, journals: Iterable[Path]) -> Evidence:
    """All of it, as it is now."""
    # Before the journal: what is in it of an order that was sent since is no finding.
    told = promises.read(journals)
    folder = folder_of(access)
    return Evidence(told, journal_reader.read(folder / "journal"), audited(folder))


def folder_of(access: Reach) -> Path:
    """The folder of the shard. Refused where it does not lie on this machine."""
    address = access.addresses().get(JOURNAL)
    if address is None:
        raise Refused("the journal lies on a volume of the cluster: it is read on the laptop's platform only")
    return Path(url2pathname(urlsplit(address).path))


def audited(folder: Path) -> tuple[str, ...]:
    """What `trading.audit` says that is wrong with a journal: damage, and the first input whose outcomes a replay does not give again."""
    found = []
    for command in ("verify", "replay"):
        done = run_audit(command, str(folder))
        if done.returncode:
            found.append(f"audit {command}: {(done.stdout + done.stderr).strip()[-500:]}")
    return tuple(found)


def run_audit(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """The service's own tool."""
    return subprocess.run(
        [sys.executable, "-m", "trading.audit", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
