"""Where everything of one running platform lies, and where its capstones do.

A platform lies in .run/ of the checkout, or in CAPSTONE_RUN_DIR for a second one beside it. Capstones lie in the checkout, and in the
folders of CAPSTONE_PATH, each laid out as the checkout is. Paths only; `make()` is the one effect.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from conductor.errors import Refused

CHECKOUT = Path(__file__).resolve().parents[2]
"""The checkout that this conductor belongs to; the services lie in its services/."""

FIRST = "orders"
"""The capstone that runs, or is deployed, when none is named; a state that was written when a platform had one only is its."""

CAPSTONE_PATH = "CAPSTONE_PATH"
"""The environment variable that names more folders with capstones, separated as in PATH."""

PRIVATE = 0o700

KILLS = "kills.jsonl"
"""The journal of kills, among a capstone's journals."""


def roots() -> tuple[Path, ...]:
    """The folders that hold capstones: the checkout, then those of CAPSTONE_PATH. Refused when one of these is no folder."""
    named = [Path(each).absolute() for each in os.environ.get(CAPSTONE_PATH, "").split(os.pathsep) if each]
    for folder in named:
        if not folder.is_dir():
            raise Refused(f'{CAPSTONE_PATH}: "{folder}" is no folder')
    return (CHECKOUT, *named)


def home(capstone: str) -> Path:
    """The first of these folders that has the capstone's chart; the checkout when none has."""
    return next((root for root in roots() if (root / "charts" / capstone).is_dir()), CHECKOUT)


def chart(capstone: str) -> Path:
    """The folder of a capstone's chart."""
    return home(capstone) / "charts" / capstone


def values(capstone: str) -> Path:
    """The values of a capstone's chart: its pools."""
    return chart(capstone) / "values.yaml"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The folders of one platform; `path` is absolute."""

    path: Path

    @classmethod
    def chosen(cls) -> "RunDirectory":
        """The one that CAPSTONE_RUN_DIR names, else .run/ of the checkout."""
        return cls(Path(os.environ.get("CAPSTONE_RUN_DIR") or CHECKOUT / ".run").absolute())

    def make(self) -> None:
        """Create the folders that are missing, closed to others."""
        for folder in (self.path, self.logs, self.launches, self.programs, self.heartbeats, self.starts, self.data):
            folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)

    @property
    def state(self) -> Path:
        """Ports, passwords and tokens, stable over a second start."""
        return self.path / "state.json"

    @property
    def lock(self) -> Path:
        """Held by whoever starts, stops or rolls."""
        return self.path / "lock"

    def values(self, capstone: str) -> Path:
        """Pools of this platform alone: when the file is there, it takes the place of the chart's values."""
        return self.path / f"{capstone}.values.yaml"

    def journals(self, capstone: str) -> Path:
        """What clients of a capstone were promised and drills broke; see history.py."""
        return self.path / "journals" / capstone

    def kills(self, capstone: str) -> Path:
        """The journal of what was killed by hand or for being stuck: it excuses a mail that came twice."""
        return self.journals(capstone) / KILLS

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.path / "logs"

    @property
    def launches(self) -> Path:
        """One file a process: its command, environment, folder and user."""
        return self.path / "launches"

    @property
    def programs(self) -> Path:
        """One file a process: what the supervisor knows of it."""
        return self.path / "programs"

    @property
    def heartbeats(self) -> Path:
        """One file a worker, relay or beat: its last sign of life."""
        return self.path / "heartbeats"

    @property
    def starts(self) -> Path:
        """One file a process with a line a start, so that restarts can be counted."""
        return self.path / "starts"

    @property
    def data(self) -> Path:
        """One folder a server."""
        return self.path / "data"

    @property
    def backups(self) -> Path:
        """Base backups of the database, and the archive of its log."""
        return self.path / "backups"

    @property
    def wal_archive(self) -> Path:
        """Segments of the database's log; while the folder is missing, none is archived."""
        return self.backups / "wal"

    @property
    def restored(self) -> Path:
        """What the last restore of the database brought back, and whether it was reconciled since; see laptop/restore.py."""
        return self.path / "restored.json"

    @property
    def restore_begun(self) -> Path:
        """There while a restore of the database is not finished; see interrupted_restore.py."""
        return self.path / "restore-begun.json"

    @property
    def recovery_list(self) -> Path:
        """The orders of the database that the last restore gave up, for the reconciliation: personal data."""
        return self.path / "recovery-list.jsonl"

    @property
    def metrics(self) -> Path:
        """One folder a process that counts, for its children."""
        return self.path / "metrics"

    @property
    def targets(self) -> Path:
        """One file a process that shows metrics: where Prometheus finds it."""
        return self.path / "targets"

    @property
    def watch(self) -> Path:
        """What Prometheus and Alertmanager read."""
        return self.path / "watch"

    @property
    def traces(self) -> Path:
        """The newest spans, when they are kept; see laptop/trace_store.py."""
        return self.data / "traces.sqlite"

    def log(self, process: str) -> Path:
        """The log of a process."""
        return self.logs / f"{process}.log"
