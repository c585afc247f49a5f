"""Commits are grouped, and what was committed outlives the connection."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from outside.ledger import PAGE, SCHEMA, Ledger
from outside.store import Store


def test_what_is_committed_is_there_for_another_connection(tmp_path: Path) -> None:
    async def run() -> None:
        store = Store(tmp_path / "s.sqlite3", SCHEMA)
        Ledger(store, lambda: 7.5).record("capture", "k", "o-1", amount_minor=5)
        await store.committed()

    asyncio.run(run())

    with sqlite3.connect(tmp_path / "s.sqlite3") as other:
        assert other.execute("SELECT kind, key, order_id, at FROM ledger").fetchall() == [("capture", "k", "o-1", 7.5)]


def test_writes_of_one_turn_share_a_commit(tmp_path: Path) -> None:
    async def run() -> int:
        store = Store(tmp_path / "s.sqlite3", SCHEMA)
        ledger = Ledger(store, lambda: 0.0)
        watcher = sqlite3.connect(tmp_path / "s.sqlite3")
        seen: set[int] = set()

        async def write(key: str) -> None:
            ledger.record("capture", key, None)
            await store.committed()
            seen.add(watcher.execute("SELECT count(*) FROM ledger").fetchone()[0])

        await asyncio.gather(*[write(str(number)) for number in range(20)])
        store.close()
        return min(seen)

    assert asyncio.run(run()) == 20


def test_a_commit_that_fails_is_told_to_all_who_wait(tmp_path: Path) -> None:
    deferred = "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a DEFERRABLE INITIALLY DEFERRED);"

    async def run() -> int:
        store = Store(tmp_path / "s.sqlite3", deferred + "PRAGMA foreign_keys=ON;")
        store.write("INSERT INTO b VALUES (1)")
        with pytest.raises(sqlite3.IntegrityError):
            await store.committed()
        return len(store.all("SELECT * FROM b"))

    assert asyncio.run(run()) == 0


def test_a_ledger_longer_than_a_page_is_read_whole_or_in_part(tmp_path: Path) -> None:
    async def run() -> list[list[int]]:
        store = Store(tmp_path / "s.sqlite3", SCHEMA)
        ledger = Ledger(store, lambda: 0.0)
        for number in range(PAGE + 10):
            ledger.record("capture", str(number), "even" if number % 2 == 0 else "odd")
        await store.committed()

        def ids(**query: int | str | None) -> list[int]:
            return [entry["id"] for page in ledger.pages(**query) for entry in page]  # type: ignore[arg-type]

        return [ids(after=0, limit=None), ids(after=PAGE, limit=3), ids(after=0, limit=2, order_id="odd")]

    assert [list(range(1, PAGE + 11)), [PAGE + 1, PAGE + 2, PAGE + 3], [2, 4]] == asyncio.run(run())
