"""positions, and how far journals are applied to them"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "portfolio_shards",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("journal", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("now_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("shard"),
    )
    op.create_table(
        "portfolio_instruments",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.BigInteger(), nullable=False),
        sa.Column("tick_value_minor", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "symbol"),
    )
    op.create_table(
        "positions",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("account", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("cost_minor", sa.Numeric(60, 0), nullable=False),
        sa.Column("realised_minor", sa.Numeric(60, 0), nullable=False),
        sa.Column("fees_minor", sa.Numeric(60, 0), nullable=False),
        sa.Column("executions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "account", "symbol"),
    )
    op.create_index("positions_account", "positions", ["account"])
    op.create_table(
        "early_batches",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "first_sequence", "last_sequence"),
    )
