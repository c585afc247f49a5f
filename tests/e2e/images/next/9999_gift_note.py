"""a note that goes with a gift: a change that only expands"""

from alembic import op

revision = "9999"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN gift_note text")


def downgrade() -> None:
    op.execute("ALTER TABLE orders DROP COLUMN gift_note")
