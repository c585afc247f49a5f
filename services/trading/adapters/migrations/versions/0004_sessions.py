"""sessions of markets"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("calendar", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("open_us", sa.BigInteger(), nullable=False),
        sa.Column("close_us", sa.BigInteger(), nullable=False),
        sa.Column("written_on", sa.Integer(), nullable=False),
        sa.CheckConstraint("open_us < close_us", name="sessions_order"),
        sa.PrimaryKeyConstraint("calendar", "day"),
    )
