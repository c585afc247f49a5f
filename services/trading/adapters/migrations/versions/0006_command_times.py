"""when a command became due by its own wish, and when it was started last"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nullable and without a default, so that the version before goes on writing rows, and the table is not written anew.
    op.add_column("outbox", sa.Column("wanted_at", sa.DateTime(timezone=True)))
    op.add_column("outbox", sa.Column("started_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("outbox", "started_at")
    op.drop_column("outbox", "wanted_at")
