"""Holds the positions in the database against the journal that they come from, and makes them anew from it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading.adapters.journal.reader import Tail, first_chain, records
from trading.adapters.portfolio_store import Applied, SqlPortfolioStore
from trading.domain.engine import Engine
from trading.domain.portfolio import FeeSchedule, Portfolio, Position
from trading.usecases.portfolio import facts
from trading.usecases.replay import replay

SHOWN = 20
"""Differences that are named; all are counted."""
BLOCKS = 64


@dataclass(slots=True)
class Compared:
    """What a comparison found."""

    shard: int
    sequence: int
    """Up to which both were compared: what the database says that it has applied."""
    behind: int
    """Records of closed blocks that are not applied yet."""
    positions: int
    differences: int = 0
    named: list[str] = field(default_factory=list)


def compare(journal: Path, store: SqlPortfolioStore, shard: int, fees: FeeSchedule) -> Compared:
    """Replay the journal up to what is applied, and compare each position: its lots with the engine's, all of it with a new count.

    Raises chassis.errors.Transient, JournalDamaged, ReplayDiffers, and ValueError when the database has applied another journal, or more
    than the journal holds.
    """
    with store.seen(shard) as rows:
        applied, kept = rows.applied, rows.all_positions()
    if applied.journal and applied.journal != first_chain(journal):
        raise ValueError(f"shard {shard}: the positions are those of another journal than {journal}")
    engine, portfolio = Engine(), Portfolio(fees)
    replay(engine, _seen(records(journal), portfolio, applied.sequence), until=applied.sequence)
    if engine.sequence != applied.sequence:
        raise ValueError(
            f"shard {shard}: {applied.sequence} is applied, but {journal} ends with sequence number {engine.sequence}"
        )
    held = {
        (one.account_id, book.symbol): one.position for book in engine.books.values() for one in book.holdings.values()
    }
    last = max(
        (closed.records[-1][0] for closed in Tail(journal, after=applied.sequence).poll()), default=applied.sequence
    )
    compared = Compared(shard, applied.sequence, last - applied.sequence, len(kept))
    for key in sorted({*kept, *portfolio.positions, *(key for key, lots in held.items() if lots)}):
        expected, there = portfolio.positions.get(key, Position()), kept.get(key, Position())
        if there != expected or there.quantity != held.get(key, 0):
            compared.differences += 1
            compared.named.append(
                f"account {key[0]}, symbol {key[1]}: {there} in the database, {expected} by the journal,"
                f" {held.get(key, 0)} lots in the engine"
            )
    del compared.named[SHOWN:]
    return compared


def rebuild(journal: Path, store: SqlPortfolioStore, shard: int, fees: FeeSchedule) -> int:
    """Replace all positions of a shard by those of the journal's closed blocks; gives the last sequence number. Raises Transient,
    JournalDamaged. Workers wait for the shard meanwhile."""
    portfolio, tail = Portfolio(fees), Tail(journal)
    with store.shard(shard) as rows:
        rows.clear()
        applied = rows.applied
        while blocks := tail.poll(most=BLOCKS):
            for given, outcomes in facts(record for closed in blocks for _, record in closed.records):
                portfolio.apply(given, outcomes)
            last = blocks[-1]
            applied = Applied(first_chain(journal) or b"", last.records[-1][0], last.block.chain, portfolio.now_us)
        rows.save(applied, portfolio.positions, portfolio.instruments)
    return applied.sequence


def _seen(journal: Iterator[tuple[int, bytes]], portfolio: Portfolio, until: int) -> Iterator[tuple[int, bytes]]:
    """The same records, applied to a portfolio on their way."""
    for sequence, record in journal:
        if sequence > until:
            return
        for given, outcomes in facts([record]):
            portfolio.apply(given, outcomes)
        yield sequence, record


def told(compared: Compared) -> dict[str, Any]:
    """The comparison as a line of JSON has it."""
    return {
        "same": not compared.differences,
        "shard": compared.shard,
        "sequence": compared.sequence,
        "behind": compared.behind,
        "positions": compared.positions,
        "differences": compared.differences,
        "named": compared.named,
    }
