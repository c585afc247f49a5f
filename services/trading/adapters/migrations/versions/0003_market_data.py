"""candles, last prices, and how far feeds are applied to them"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "feeds",
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed"),
    )
    op.create_table(
        "last_prices",
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("symbol", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("bid", sa.BigInteger(), nullable=False),
        sa.Column("bid_quantity", sa.BigInteger(), nullable=False),
        sa.Column("ask", sa.BigInteger(), nullable=False),
        sa.Column("ask_quantity", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed", "symbol"),
    )
    op.create_table(
        "candles",
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("symbol", sa.BigInteger(), nullable=False),
        sa.Column("span_us", sa.BigInteger(), nullable=False),
        sa.Column("begin_us", sa.BigInteger(), nullable=False),
        sa.Column("open", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("close", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("trades", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed", "symbol", "span_us", "begin_us"),
    )
