"""One server's SQLite file, used from the event loop's thread only, with grouped commits.

What a handler reads, decides and writes without an `await` in between is one step that no other request can enter, and
lands in one commit. Commits are grouped: every write of one turn of the event loop shares a commit, and `committed()`
returns when it is in the write-ahead log. With `synchronous=NORMAL` that survives SIGKILL of the process (the kernel
has the pages), not a loss of power (https://www.sqlite.org/wal.html#performance_considerations), which no drill
causes.
"""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

# A reader from another process (a person with the sqlite3 shell) may hold the file for a moment.
BUSY_TIMEOUT_SECONDS = 5.0


class Store:
    """The file `path`, created with `schema` (idempotent DDL) when it is not there yet."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(schema)
        self._group: asyncio.Future[None] | None = None

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row, or None."""
        row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Every row."""
        return self._connection.execute(sql, values).fetchall()

    def write(self, sql: str, *values: Any) -> int:
        """Change rows as part of the current group; the id of the last row inserted."""
        if self._group is None:
            loop = asyncio.get_running_loop()
            self._connection.execute("BEGIN IMMEDIATE")
            self._group = loop.create_future()
            loop.call_soon(self._commit)
        return self._connection.execute(sql, values).lastrowid or 0

    async def committed(self) -> None:
        """Return once everything written so far is in the log. Raises sqlite3.Error when it cannot be (disk full)."""
        if self._group is not None:
            await asyncio.shield(self._group)

    def close(self) -> None:
        """Commit what is open and let go of the file."""
        self._commit()
        self._connection.close()

    def _commit(self) -> None:
        group, self._group = self._group, None
        if group is None:
            return
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            group.set_exception(error)
            # Nobody may be waiting (its client left); the error has been told to all who are.
            group.exception()
        else:
            group.set_result(None)
