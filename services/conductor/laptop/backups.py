"""Base backups of the laptop's PostgreSQL and the archive of its write-ahead log, below .run/backups/.

The first base backup makes the archive's folder, and from then on PostgreSQL archives every segment. Each base backup drops those before
the last two, and with them the log that only they needed: that is what bounds the archive.
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from conductor.errors import BackupFailed, Refused
from conductor.laptop import unprivileged
from conductor.laptop.servers.postgres import ADMIN, Postgres
from conductor.laptop.servers.postgres_binaries import binary
from conductor.run_directory import RunDirectory
from conductor.waiting import until

KEPT = 2
"""Base backups that stay: when the last one turns out to be useless, there is one before it."""

SEGMENT = re.compile(r"[0-9A-F]{24}")
SEGMENT_BYTES = 16 * 1024 * 1024
ARCHIVED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Base:
    """One base backup: a point in time from `ended` on can be reached from it, with the log from segment `wal` on."""

    name: str
    ended: datetime
    wal: str


class Backups:
    """Those of one run directory."""

    def __init__(self, run: RunDirectory) -> None:
        self._bases = run.backups / "base"
        self.wal = run.wal_archive

    def bases(self) -> list[Base]:
        """Oldest first."""
        return [_base(folder) for folder in sorted(self._bases.glob("*Z"))]

    def folder(self, base: Base) -> Path:
        """Where its files lie."""
        return self._bases / base.name

    def before(self, moment: datetime) -> Base:
        """The last one that was finished by then; Refused names those there are."""
        known = self.bases()
        fitting = [base for base in known if base.ended <= moment]
        if not fitting:
            there = ", ".join(f"{base.ended:%Y-%m-%d %H:%M:%S%z}" for base in known) or "none"
            raise Refused(f"no base backup was finished by {moment.isoformat()}; there are: {there}")
        return fitting[-1]

    def take(self, postgres: Postgres) -> Base:
        """Make a base backup of a running server, then drop what is older than the last ones kept. Raises BackupFailed."""
        try:
            began = postgres.clock()
        except psycopg.OperationalError as error:
            raise BackupFailed(f"the database does not answer: {error}") from error
        self._make_folders()
        fresh = self._bases / f"{began.astimezone(UTC):%Y%m%dT%H%M%S%f}Z.new"
        shutil.rmtree(fresh, ignore_errors=True)
        argv = [str(binary("pg_basebackup")), "--host", "127.0.0.1", "--port", str(postgres.port), "--username", ADMIN]
        argv += ["--pgdata", str(fresh), "--format", "tar", "--gzip", "--checkpoint", "fast", "--no-password"]
        environment = {**os.environ, "PGPASSWORD": postgres.admin_password}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(fresh, ignore_errors=True)
            raise BackupFailed(f"pg_basebackup ended with {done.returncode}: {done.stderr.strip()}")
        base = Base(fresh.stem, postgres.clock(), first_segment(json.loads((fresh / "backup_manifest").read_text())))
        (fresh / "backup.json").write_text(json.dumps(asdict(base), default=str))
        fresh.rename(self.folder(base))
        self.prune()
        return base

    def close_segment(self, postgres: Postgres) -> bool:
        """Archive what was written so far; False when that did not happen in time."""
        if not self.wal.is_dir():
            return False
        name = postgres.switch_segment()
        return until(lambda: (self.wal / f"{name}.gz").exists(), within_seconds=ARCHIVED_SECONDS)

    def size_bytes(self) -> int:
        """What all of it takes."""
        return sum(path.stat().st_size for path in self._bases.parent.rglob("*") if path.is_file())

    def _make_folders(self) -> None:
        for folder in (self._bases.parent, self._bases):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not self.wal.is_dir():
            # Given before it has its name: from then on the server archives into it.
            fresh = self.wal.with_name("wal.new")
            fresh.mkdir(mode=0o700, exist_ok=True)
            unprivileged.give(fresh)
            unprivileged.let_through(self.wal.parent)
            fresh.rename(self.wal)

    def prune(self) -> None:
        """Drop what is older than the last base backups, and the log that only it needed."""
        known = self.bases()
        for base in known[:-KEPT]:
            shutil.rmtree(self.folder(base))
        # Segments are ordered by their last 16 digits; the first 8 are the timeline.
        oldest = known[-KEPT:][0].wal[8:]
        for path in self.wal.glob("*.gz"):
            if SEGMENT.fullmatch(path.name[:24]) and path.name[8:24] < oldest:
                path.unlink()


def first_segment(manifest: dict[str, Any]) -> str:
    """The name of the first segment that a backup needs, from its manifest."""
    first = manifest["WAL-Ranges"][0]
    high, low = (int(part, 16) for part in first["Start-LSN"].split("/"))
    return f"{first['Timeline']:08X}{high:08X}{low // SEGMENT_BYTES:08X}"


def _base(folder: Path) -> Base:
    told = json.loads((folder / "backup.json").read_text())
    return Base(told["name"], datetime.fromisoformat(told["ended"]), told["wal"])
