"""Candles and last prices in PostgreSQL, with the place in the feed that they come from: all of it changes in one transaction."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.database import connect
from trading.adapters import tables
from trading.adapters.transactions import begun
from trading.domain.candles import Candle, Key
from trading.domain.market_data import LastPrices

STATEMENT_SECONDS = 10.0

# What Candle.add does: what is kept came before.
_ADD_CANDLES = sa.text("""
    INSERT INTO candles AS kept (feed, symbol, span_us, begin_us, open, high, low, close, quantity, trades)
    SELECT :feed, * FROM unnest(
        CAST(:symbol AS bigint[]), CAST(:span AS bigint[]), CAST(:begin AS bigint[]), CAST(:open AS bigint[]), CAST(:high AS bigint[]),
        CAST(:low AS bigint[]), CAST(:close AS bigint[]), CAST(:quantity AS bigint[]), CAST(:trades AS bigint[])
    )
    ON CONFLICT (feed, symbol, span_us, begin_us) DO UPDATE SET
        high = greatest(kept.high, excluded.high), low = least(kept.low, excluded.low), close = excluded.close,
        quantity = kept.quantity + excluded.quantity, trades = kept.trades + excluded.trades
""")


class FeedMoved(Exception):
    """Somebody else has applied what comes next of a feed; the place in the database counts."""


class SqlMarketStore:
    """What is known of one feed. Used by one thread."""

    def __init__(self, database_url: str, feed: str, *, pooler: bool = False) -> None:
        self._feed = feed
        self._engine = connect(
            database_url, pool_size=1, overflow=1, statement_timeout_seconds=STATEMENT_SECONDS, pooler=pooler
        )

    def sequence(self) -> int:
        """Number of the last tick that is applied; 0 before the first. Raises chassis.errors.Transient."""
        with begun(self._engine) as conn:
            return self._sequence(conn) or 0

    def last_prices(self) -> dict[int, LastPrices]:
        """By symbol. Raises Transient."""
        table = tables.last_prices
        with begun(self._engine) as conn:
            rows = conn.execute(sa.select(table).where(table.c.feed == self._feed)).all()
        return {row[1]: LastPrices(*row[2:]) for row in rows}

    def save(
        self, before: int, sequence: int, candles: Mapping[Key, Candle], last_prices: Mapping[int, LastPrices]
    ) -> None:
        """Add what came of the ticks after `before` up to `sequence`; done twice it counts once.

        Raises Transient, when it may have been done all the same, and FeedMoved.
        """
        with begun(self._engine) as conn:
            conn.execute(insert(tables.feeds).values(feed=self._feed, sequence=0).on_conflict_do_nothing())
            there = self._sequence(conn, lock=True)
            if there == sequence:
                return
            if there != before:
                raise FeedMoved(f"feed {self._feed} is at {there}, not at {before}")
            self._add(conn, candles)
            rows = [{"feed": self._feed, "symbol": symbol, **one._asdict()} for symbol, one in last_prices.items()]
            if rows:
                new = insert(tables.last_prices).values(rows)
                changed = {name: new.excluded[name] for name in LastPrices._fields}
                conn.execute(new.on_conflict_do_update(index_elements=["feed", "symbol"], set_=changed))
            conn.execute(tables.feeds.update().where(tables.feeds.c.feed == self._feed).values(sequence=sequence))

    def candles(self, symbol: int, span_us: int) -> dict[int, Candle]:
        """All of a symbol and a length, by their begin in microseconds since 1970, oldest first. Raises Transient."""
        table = tables.candles
        wanted = sa.select(
            table.c.begin_us, table.c.open, table.c.high, table.c.low, table.c.close, table.c.quantity, table.c.trades
        ).where(table.c.feed == self._feed, table.c.symbol == symbol, table.c.span_us == span_us)
        with begun(self._engine) as conn:
            return {row[0]: Candle(*row[1:]) for row in conn.execute(wanted.order_by(table.c.begin_us))}

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _sequence(self, conn: sa.Connection, *, lock: bool = False) -> int | None:
        wanted = sa.select(tables.feeds.c.sequence).where(tables.feeds.c.feed == self._feed)
        return conn.execute(wanted.with_for_update() if lock else wanted).scalar_one_or_none()

    def _add(self, conn: sa.Connection, candles: Mapping[Key, Candle]) -> None:
        if not candles:
            return
        held = list(candles.values())
        columns = {
            "symbol": [key[0] for key in candles],
            "span": [key[1] for key in candles],
            "begin": [key[2] for key in candles],
            **{name: [getattr(one, name) for one in held] for name in Candle.__slots__},
        }
        conn.execute(_ADD_CANDLES, {"feed": self._feed, **columns})
