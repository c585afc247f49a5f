"""measures of the engines' latency"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "latency_measures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.BigInteger(), nullable=False),
        sa.Column("p50_us", sa.Float(), nullable=False),
        sa.Column("p99_us", sa.Float(), nullable=False),
        sa.Column("p999_us", sa.Float(), nullable=False),
        sa.Column("breaches", sa.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("latency_measures_time", "latency_measures", ["measured_at"])
