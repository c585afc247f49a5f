"""What the learner did and was told, as events that are only ever appended; each holds the hash of the one before.

The file refuses updates and deletions (triggers), and a change made around them breaks the chain, which every reader looks at first.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader.errors import GradebookBroken

NOTHING_BEFORE = "0" * 64

TABLE = """\
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, lab TEXT NOT NULL, body TEXT NOT NULL,
    previous TEXT NOT NULL, hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `at` is UTC, ISO 8601."""

    seq: int
    at: str
    kind: str
    lab: str
    body: Mapping[str, Any]


class Gradebook:
    """The one at a path; made when it is missing."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._open() as database:
            database.executescript(TABLE)

    def append(
        self, kind: str, lab: str, body: Mapping[str, Any], allowed: Callable[[list[Event]], None] = lambda events: None
    ) -> None:
        """Add one event, unless `allowed` raises when it is given those before it: nobody else adds one in between.

        Raises GradebookBroken when the chain does not hold: nothing is added to it then.
        """
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            before = list(self._verified(database))
            allowed([event for event, _ in before])
            previous = before[-1][1] if before else NOTHING_BEFORE
            seq = len(before) + 1
            text = json.dumps(body, sort_keys=True, ensure_ascii=False)
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            found = _hash(previous, seq, at, kind, lab, text)
            database.execute("INSERT INTO events VALUES (?,?,?,?,?,?,?)", (seq, at, kind, lab, text, previous, found))
            database.execute("COMMIT")

    def events(self, lab: str | None = None) -> list[Event]:
        """All events, or those of one lab, oldest first. Raises GradebookBroken."""
        with self._open() as database:
            return [event for event, _ in self._verified(database) if lab in (None, event.lab)]

    def last(self) -> dict[str, Any]:
        """How many events there are, and the hash of the last one. Raises GradebookBroken."""
        with self._open() as database:
            found = [hashed for _, hashed in self._verified(database)]
        return {"events": len(found), "hash": found[-1] if found else NOTHING_BEFORE}

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=10, isolation_level=None)) as database:
                yield database
        except sqlite3.Error as error:
            raise GradebookBroken(f"{self._path}: {error}") from error

    def _verified(self, database: sqlite3.Connection) -> Iterator[tuple[Event, str]]:
        previous, expected = NOTHING_BEFORE, 1
        rows = database.execute("SELECT seq, at, kind, lab, body, previous, hash FROM events ORDER BY seq")
        for seq, at, kind, lab, body, before, found in rows:
            if seq != expected or before != previous or found != _hash(previous, seq, at, kind, lab, body):
                raise GradebookBroken(
                    f"{self._path}: event {expected} is not what was written; move the file away to begin a new gradebook"
                )
            yield Event(seq, at, kind, lab, json.loads(body)), found
            previous, expected = found, expected + 1


def _hash(previous: str, seq: int, at: str, kind: str, lab: str, body: str) -> str:
    return hashlib.sha256(json.dumps([previous, seq, at, kind, lab, body]).encode()).hexdigest()
