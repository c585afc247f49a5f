"""What people see of positions, prices, candles and latency, read from PostgreSQL as it is committed."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from chassis.database import connect
from trading.adapters.tables import (
    candles,
    last_prices,
    latency_measures,
    portfolio_instruments,
    portfolio_shards,
    positions,
)
from trading.adapters.transactions import begun

STATEMENT_SECONDS = 3.0


class SqlViews:
    """See ports.Views."""

    def __init__(self, database_url: str, *, feed: str, pooler: bool = False) -> None:
        self._feed = feed
        self._engine = connect(
            database_url, pool_size=2, overflow=2, statement_timeout_seconds=STATEMENT_SECONDS, pooler=pooler
        )

    def positions(self, accounts: Sequence[int] | None) -> list[dict[str, int]]:
        """See ports."""
        held, listed = positions.c, portfolio_instruments.c
        value = (held.quantity * sa.cast(listed.mark, sa.Numeric) * listed.tick_value_minor).label("value_minor")
        wanted = (
            sa.select(
                held.account, held.symbol, held.quantity, held.cost_minor, held.realised_minor, held.fees_minor,
                held.executions, listed.mark, value,
            )
            .join_from(
                positions, portfolio_instruments, sa.and_(listed.shard == held.shard, listed.symbol == held.symbol)
            )
            .order_by(held.account, held.symbol)
        )  # fmt: skip
        if accounts is not None:
            wanted = wanted.where(held.account.in_(accounts))
        return [{name: int(number) for name, number in row._mapping.items()} for row in self._rows(wanted)]

    def applied(self) -> list[dict[str, int]]:
        """See ports."""
        shards = portfolio_shards.c
        wanted = sa.select(shards.shard, shards.sequence, shards.now_us).order_by(shards.shard)
        return [dict(row._mapping) for row in self._rows(wanted)]

    def last_price(self, symbol: int) -> dict[str, int] | None:
        """See ports."""
        wanted = sa.select(last_prices).where(last_prices.c.feed == self._feed, last_prices.c.symbol == symbol)
        found = [dict(row._mapping) for row in self._rows(wanted)]
        return found[0] if found else None

    def candles(self, symbol: int, span_us: int, limit: int) -> list[dict[str, int]]:
        """See ports."""
        table = candles.c
        wanted = (
            sa.select(table.begin_us, table.open, table.high, table.low, table.close, table.quantity, table.trades)
            .where(table.feed == self._feed, table.symbol == symbol, table.span_us == span_us)
            .order_by(table.begin_us.desc())
            .limit(limit)
        )
        return [dict(row._mapping) for row in reversed(self._rows(wanted))]

    def latency(self, limit: int) -> list[dict[str, Any]]:
        """See ports."""
        table = latency_measures
        wanted = (
            sa.select(*(column for column in table.c if column.name != "id")).order_by(table.c.id.desc()).limit(limit)
        )
        return [dict(row._mapping) for row in self._rows(wanted)]

    def _rows(self, wanted: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with begun(self._engine) as conn:
            return conn.execute(wanted).all()
