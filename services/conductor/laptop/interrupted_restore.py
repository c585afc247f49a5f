"""Undoes a restore of the database that was cut short (its command was killed, the power went): what was there before is put back.

Without this the next start would find no data folder and make an empty database, or serve one that was recovered halfway. Every step may
happen again: the note that a restore began is removed last.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from conductor.laptop import restore_points, stop
from conductor.laptop.platform import Platform
from conductor.laptop.start import Tell
from conductor.laptop.state import write_private
from conductor.run_directory import RunDirectory


def begin(run: RunDirectory, kept: Path | None) -> None:
    """Note that a restore begins; `kept` is where the data folder will lie meanwhile, None when there is none."""
    told = {"at": datetime.now(UTC).isoformat(), "kept": str(kept) if kept else None}
    write_private(run.restore_begun, json.dumps(told), durable=True)


def end(run: RunDirectory) -> None:
    """Remove the note: the restore is finished."""
    run.restore_begun.unlink(missing_ok=True)


def undo(run: RunDirectory, data: Path) -> bool:
    """Put back what was there, unless the restore was finished; whether it was. The database does not run."""
    try:
        told = json.loads(run.restore_begun.read_bytes())
    except FileNotFoundError:
        return False
    kept = Path(told["kept"]) if told["kept"] else None
    finished = restore_points.load(run)
    undone = finished is None or finished.at < datetime.fromisoformat(told["at"])
    # When the folder with the old data is not there, it was not moved yet.
    if undone and (kept is None or kept.exists()):
        shutil.rmtree(data, ignore_errors=True)
        if kept is not None:
            kept.rename(data)
    end(run)
    return undone


def mend(platform: Platform, tell: Tell) -> None:
    """Undo what a restore left that was cut short, after stopping everything. The run directory is locked."""
    if platform.run.restore_begun.exists():
        tell("a restore was cut short: stopping everything and putting back what was there before")
        stop.stop(platform)
        undo(platform.run, platform.postgres.data)
