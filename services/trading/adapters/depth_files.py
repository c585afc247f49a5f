"""What the keeper shows to people, in files that are replaced whole when something changed: nobody trades by them.

`depth/<symbol>.json` has the best prices of a book, its phase and kill switch, and its last trades; `venue.json` the kill switches of all
and of accounts, and how many orders were refused by which rule.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from trading.domain.engine import Engine
from trading.domain.order_book import Book

LEVELS = 20
FOLDER, VENUE = "depth", "venue.json"
"""Within the folder of the shard."""


class Tape(Protocol):
    """See usecases.tape."""

    since_us: int

    @property
    def refused(self) -> Mapping[str, int]:
        """Orders by the rule that refused them."""

    def last(self, symbol: int) -> Sequence[tuple[int, ...]]:
        """The last trades of a symbol."""


class DepthFiles:
    """Writes the files of one engine."""

    def __init__(self, shard: Path) -> None:
        """`shard` is the folder of the shard."""
        self._shard = shard
        self._written: dict[Path, object] = {}
        (shard / FOLDER).mkdir(parents=True, exist_ok=True)

    def write(self, engine: Engine, tape: Tape) -> None:
        """Write what changed since the last time."""
        at = {"sequence": engine.sequence, "time_us": engine.now_us}
        for symbol, book in engine.books.items():
            found = {**_depth(book), "trades": tape.last(symbol)}
            self._replace(self._shard / FOLDER / f"{symbol}.json", found, {"symbol": symbol, **at})
        killed = {account.id: account.killed_from for account in engine.accounts.values() if account.killed_from}
        venue = {
            "killed_from": engine.killed_from,
            "accounts_killed_from": killed,
            "refused": dict(tape.refused),
            "refused_since_us": tape.since_us,
        }
        self._replace(self._shard / VENUE, venue, at)

    def _replace(self, path: Path, found: Mapping[str, object], at: Mapping[str, int]) -> None:
        if self._written.get(path) == found:
            return
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps({**at, **found}))
        draft.rename(path)
        self._written[path] = found


def listed(shard: Path) -> list[int]:
    """The symbols that have a book."""
    return sorted(int(path.stem) for path in (shard / FOLDER).glob("*.json"))


def _depth(book: Book) -> dict[str, object]:
    return {
        "phase": int(book.phase),
        "killed_from": book.killed_from,
        "bids": book.bids.depth(LEVELS),
        "asks": book.asks.depth(LEVELS),
    }
