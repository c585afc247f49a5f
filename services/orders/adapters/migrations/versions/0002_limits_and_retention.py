"""indexes for open orders a customer, and for old timelines"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX orders_open_by_customer ON orders (customer) "
        "WHERE state NOT IN ('delivered', 'cancelled', 'failed')"
    )
    op.execute("CREATE INDEX timeline_by_age ON timeline USING brin (at) WITH (autosummarize = on)")


def downgrade() -> None:
    op.drop_index("timeline_by_age", table_name="timeline")
    op.drop_index("orders_open_by_customer", table_name="orders")
