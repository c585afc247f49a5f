"""The trading service's own tables: positions and candles, and how far the journals and feeds that they come from are applied to them.

Money is numeric without a fraction: an order's value fits 64 bits in ticks × lots, a sum of them in minor units need not.
"""

import sqlalchemy as sa

metadata = sa.MetaData()

_MINOR = sa.Numeric(60, 0)

portfolio_shards = sa.Table(
    "portfolio_shards",
    metadata,
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    # Which journal it is, and the hash chain where it stands.
    sa.Column("journal", sa.LargeBinary, nullable=False),
    sa.Column("chain", sa.LargeBinary, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("now_us", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
)

portfolio_instruments = sa.Table(
    "portfolio_instruments",
    metadata,
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("symbol", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("tick_value_minor", sa.BigInteger, nullable=False),
    sa.Column("mark", sa.BigInteger, nullable=False),
)

positions = sa.Table(
    "positions",
    metadata,
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("account", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("symbol", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("cost_minor", _MINOR, nullable=False),
    sa.Column("realised_minor", _MINOR, nullable=False),
    sa.Column("fees_minor", _MINOR, nullable=False),
    sa.Column("executions", sa.BigInteger, nullable=False),
    sa.Index("positions_account", "account"),
)

early_batches = sa.Table(
    "early_batches",
    metadata,
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("first_sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last_sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""Batches that came before what they follow on."""

feeds = sa.Table(
    "feeds",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)

last_prices = sa.Table(
    "last_prices",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("symbol", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    # 0 before the first trade, or the first quote.
    sa.Column("price", sa.BigInteger, nullable=False),
    sa.Column("bid", sa.BigInteger, nullable=False),
    sa.Column("bid_quantity", sa.BigInteger, nullable=False),
    sa.Column("ask", sa.BigInteger, nullable=False),
    sa.Column("ask_quantity", sa.BigInteger, nullable=False),
)

candles = sa.Table(
    "candles",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("symbol", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("span_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("begin_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("open", sa.BigInteger, nullable=False),
    sa.Column("high", sa.BigInteger, nullable=False),
    sa.Column("low", sa.BigInteger, nullable=False),
    sa.Column("close", sa.BigInteger, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("trades", sa.BigInteger, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("calendar", sa.Text, primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("open_us", sa.BigInteger, nullable=False),
    sa.Column("close_us", sa.BigInteger, nullable=False),
    # Days since 1970, in UTC: whether it was done today.
    sa.Column("written_on", sa.Integer, nullable=False),
    sa.CheckConstraint("open_us < close_us", name="sessions_order"),
)

latency_measures = sa.Table(
    "latency_measures",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("inputs", sa.BigInteger, nullable=False),
    sa.Column("p50_us", sa.Float, nullable=False),
    sa.Column("p99_us", sa.Float, nullable=False),
    sa.Column("p999_us", sa.Float, nullable=False),
    sa.Column("breaches", sa.ARRAY(sa.Text), nullable=False),
    sa.Index("latency_measures_time", "measured_at"),
)
