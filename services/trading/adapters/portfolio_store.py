"""Positions in PostgreSQL. A shard's rows change under the lock of its row in `portfolio_shards`, so workers may share a shard."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.database import connect
from trading.adapters.tables import early_batches, portfolio_instruments, portfolio_shards, positions
from trading.adapters.transactions import begun
from trading.domain.portfolio import Instrument, Position

_SAVE_POSITIONS = sa.text("""
    INSERT INTO positions (shard, account, symbol, quantity, cost_minor, realised_minor, fees_minor, executions)
    SELECT :shard, * FROM unnest(
        CAST(:account AS bigint[]), CAST(:symbol AS bigint[]), CAST(:quantity AS bigint[]), CAST(:cost AS numeric[]),
        CAST(:realised AS numeric[]), CAST(:fees AS numeric[]), CAST(:executions AS bigint[])
    )
    ON CONFLICT (shard, account, symbol) DO UPDATE SET
        quantity = excluded.quantity, cost_minor = excluded.cost_minor, realised_minor = excluded.realised_minor,
        fees_minor = excluded.fees_minor, executions = excluded.executions
""")
_POSITIONS = sa.text("""
    SELECT account, symbol, quantity, cost_minor, realised_minor, fees_minor, executions FROM positions
    JOIN unnest(CAST(:account AS bigint[]), CAST(:symbol AS bigint[])) AS wanted (account, symbol) USING (account, symbol)
    WHERE shard = :shard
""")
STATEMENT_SECONDS = 10.0
"""A worker's loop stands still meanwhile, so it must be well below the time after which it counts as dead."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How far a shard's journal is applied."""

    journal: bytes
    """Hash of the journal's first block; empty before the first batch."""
    sequence: int
    chain: bytes
    now_us: int


NOTHING = Applied(b"", 0, bytes(32), 0)


class ShardRows:
    """One shard's rows in a transaction that holds its lock, or only reads."""

    def __init__(self, conn: sa.Connection, shard: int, applied: Applied) -> None:
        self._conn, self._shard = conn, shard
        self.applied = applied

    def positions(self, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], Position]:
        """Those of some accounts and symbols that there are."""
        if not keys:
            return {}
        wanted = {"shard": self._shard, "account": [key[0] for key in keys], "symbol": [key[1] for key in keys]}
        return {(row[0], row[1]): _position(*row[2:]) for row in self._conn.execute(_POSITIONS, wanted)}

    def all_positions(self) -> dict[tuple[int, int], Position]:
        """Every one, by account and symbol."""
        found = self._conn.execute(sa.select(positions).where(positions.c.shard == self._shard))
        return {(row[1], row[2]): _position(*row[3:]) for row in found}

    def instruments(self) -> dict[int, Instrument]:
        """All of the shard, by symbol."""
        table = portfolio_instruments
        rows = self._conn.execute(
            sa.select(table.c.symbol, table.c.tick_value_minor, table.c.mark).where(table.c.shard == self._shard)
        )
        return {symbol: Instrument(tick_value, mark) for symbol, tick_value, mark in rows}

    def save(
        self, applied: Applied, changed: Mapping[tuple[int, int], Position], instruments: Mapping[int, Instrument]
    ) -> None:
        """Replace what is given."""
        if changed:
            held = list(changed.values())
            columns = {
                "account": [key[0] for key in changed],
                "symbol": [key[1] for key in changed],
                "quantity": [one.quantity for one in held],
                "cost": [one.cost_minor for one in held],
                "realised": [one.realised_minor for one in held],
                "fees": [one.fees_minor for one in held],
                "executions": [one.executions for one in held],
            }
            self._conn.execute(_SAVE_POSITIONS, {"shard": self._shard, **columns})
        if instruments:
            rows = [
                {"shard": self._shard, "symbol": symbol, "tick_value_minor": one.tick_value_minor, "mark": one.mark}
                for symbol, one in instruments.items()
            ]
            new = insert(portfolio_instruments).values(rows)
            self._conn.execute(
                new.on_conflict_do_update(index_elements=["shard", "symbol"], set_={"mark": new.excluded.mark})
            )
        self._conn.execute(
            portfolio_shards.update()
            .where(portfolio_shards.c.shard == self._shard)
            .values(
                journal=applied.journal,
                sequence=applied.sequence,
                chain=applied.chain,
                now_us=applied.now_us,
                updated_at=sa.func.now(),
            )
        )
        self.applied = applied

    def keep_early(self, first_sequence: int, last_sequence: int, body: bytes) -> None:
        """Keep a batch until what it follows on is applied."""
        values = {"shard": self._shard, "first_sequence": first_sequence, "last_sequence": last_sequence, "body": body}
        self._conn.execute(insert(early_batches).values(values).on_conflict_do_nothing())

    def take_early(self, sequence: int) -> list[bytes]:
        """Take out the kept batches that begin at or before what follows a sequence number, in order."""
        table = early_batches
        meant = (table.c.shard == self._shard) & (table.c.first_sequence <= sequence + 1)
        rows = self._conn.execute(table.delete().where(meant).returning(table.c.first_sequence, table.c.body)).all()
        return [row.body for row in sorted(rows, key=lambda row: int(row.first_sequence))]

    def clear(self) -> None:
        """Remove all that was applied to the shard, and begin anew."""
        for table in (positions, portfolio_instruments, early_batches):
            self._conn.execute(table.delete().where(table.c.shard == self._shard))
        self.save(NOTHING, {}, {})


class SqlPortfolioStore:
    """The rows of all shards. Used by one thread."""

    def __init__(self, database_url: str, *, pooler: bool = False) -> None:
        self._engine = connect(
            database_url, pool_size=1, overflow=1, statement_timeout_seconds=STATEMENT_SECONDS, pooler=pooler
        )

    @contextmanager
    def shard(self, number: int) -> Iterator[ShardRows]:
        """A transaction with the lock of a shard, committed at the end. Raises Transient when the database cannot do it now."""
        table = portfolio_shards
        with begun(self._engine) as conn:
            new = {"shard": number, "journal": b"", "chain": NOTHING.chain, "sequence": 0, "now_us": 0}
            conn.execute(insert(table).values(new).on_conflict_do_nothing())
            row = conn.execute(_applied(number).with_for_update()).one()
            yield ShardRows(conn, number, Applied(*row))

    @contextmanager
    def seen(self, number: int) -> Iterator[ShardRows]:
        """A shard as it is at one moment, for a login that may only read. Nobody waits for it. Raises Transient as `shard` does."""
        with begun(self._engine) as conn:
            conn.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            row = conn.execute(_applied(number)).one_or_none()
            yield ShardRows(conn, number, Applied(*row) if row else NOTHING)

    def ping(self) -> None:
        """Return when the database answers. Raises Transient."""
        with begun(self._engine) as conn:
            conn.execute(sa.text("SELECT 1"))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def _applied(number: int) -> sa.Select[Any]:
    table = portfolio_shards
    return sa.select(table.c.journal, table.c.sequence, table.c.chain, table.c.now_us).where(table.c.shard == number)


def _position(*numbers: object) -> Position:
    return Position(*(int(number) for number in numbers))  # type: ignore[call-overload]
