"""What the last restore of the database brought back: kept beside it until the next one, so that no pool starts on it unreconciled."""

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from conductor.history import since_of
from conductor.laptop.state import write_private
from conductor.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """`to` is the time that the database is of, `at` when it was restored, `kept` the folder with what it was before."""

    to: datetime
    at: datetime
    base: str
    kept: Path | None
    reconciled: bool = False

    @property
    def since(self) -> datetime:
        """See since_of."""
        return since_of(self.to)

    def as_reconciled(self) -> "RestorePoint":
        """The same, fit to run on."""
        return dataclasses.replace(self, reconciled=True)


def save(point: RestorePoint, run: RunDirectory) -> None:
    """Write it down, in the place of the one before."""
    write_private(run.restored, json.dumps(dataclasses.asdict(point), default=str, indent=2), durable=True)


def load(run: RunDirectory) -> RestorePoint | None:
    """The last one; None when the database was never restored."""
    try:
        told = json.loads(run.restored.read_bytes())
    except FileNotFoundError:
        return None
    return RestorePoint(
        datetime.fromisoformat(told["to"]),
        datetime.fromisoformat(told["at"]),
        told["base"],
        Path(told["kept"]) if told["kept"] else None,
        told["reconciled"],
    )
