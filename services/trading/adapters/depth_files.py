"""The best prices of each book in a file, `<symbol>.json`, replaced whole when the book changed: for people, not for trading."""

import json
from pathlib import Path

from trading.domain.engine import Engine
from trading.domain.order_book import Book

LEVELS = 20
FOLDER = "depth"
"""Of the files, within that of the shard."""


class DepthFiles:
    """Writes the files of one engine."""

    def __init__(self, shard: Path) -> None:
        """`shard` is the folder of the shard."""
        self._folder = folder = shard / FOLDER
        self._written: dict[int, tuple[object, ...]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, engine: Engine) -> None:
        """Write the books that changed since the last time."""
        for symbol, book in engine.books.items():
            found = _depth(book)
            if self._written.get(symbol) != found:
                path = self._folder / f"{symbol}.json"
                bids, asks, phase, killed_from = found
                told = {
                    "symbol": symbol,
                    "sequence": engine.sequence,
                    "time_us": engine.now_us,
                    "phase": phase,
                    "killed_from": killed_from,
                    "bids": bids,
                    "asks": asks,
                }
                draft = path.with_suffix(".draft")
                draft.write_text(json.dumps(told))
                draft.rename(path)
                self._written[symbol] = found


def listed(shard: Path) -> list[int]:
    """The symbols that have a book."""
    return sorted(int(path.stem) for path in (shard / FOLDER).glob("*.json"))


def _depth(book: Book) -> tuple[object, ...]:
    return book.bids.depth(LEVELS), book.asks.depth(LEVELS), int(book.phase), book.killed_from
