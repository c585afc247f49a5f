"""What took effect in the outside world, in order: the evidence that drills are judged by.

Entries are only ever added, in the same commit as the effect they tell of. An entry is a JSON object with `id`
(ascending, without reuse), `at` (unix seconds), `kind`, `key`, `order_id` (null when the effect names no order) and
what its kind adds.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from outside.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    order_id TEXT,
    detail TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS ledger_order ON ledger (order_id, id);
CREATE INDEX IF NOT EXISTS ledger_time ON ledger (at);
"""

# Entries read at once: the event loop serves others between two pages.
PAGE = 1_000


class Ledger:
    """The ledger of one server, kept in its store; `clock` gives unix seconds."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def record(self, kind: str, key: str, order_id: str | None, **detail: Any) -> int:
        """Add one entry to the commit that its effect is part of; its id."""
        return self._store.write(
            "INSERT INTO ledger (at, kind, key, order_id, detail) VALUES (?, ?, ?, ?, ?)",
            self._clock(),
            kind,
            key,
            order_id,
            json.dumps(detail),
        )

    def page(self, *, after: int, limit: int, order_id: str | None = None) -> list[dict[str, Any]]:
        """At most `limit` entries with an id above `after`, oldest first, of one order when it is given."""
        if order_id is None:
            rows = self._store.all("SELECT * FROM ledger WHERE id > ? ORDER BY id LIMIT ?", after, limit)
        else:
            rows = self._store.all(
                "SELECT * FROM ledger WHERE order_id = ? AND id > ? ORDER BY id LIMIT ?", order_id, after, limit
            )
        return [_entry(row) for row in rows]

    def pages(self, *, after: int, limit: int | None, order_id: str | None = None) -> Iterator[list[dict[str, Any]]]:
        """The same in pages, so that a ledger of any length can be sent; without `limit`, to the end."""
        left = limit
        while left is None or left > 0:
            page = self.page(after=after, limit=PAGE if left is None else min(PAGE, left), order_id=order_id)
            if not page:
                return
            yield page
            after = page[-1]["id"]
            left = None if left is None else left - len(page)


def _entry(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "at": row["at"],
        "kind": row["kind"],
        "key": row["key"],
        "order_id": row["order_id"],
        **json.loads(row["detail"]),
    }
