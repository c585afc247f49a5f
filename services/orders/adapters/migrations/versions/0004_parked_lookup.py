"""indexes by which it is found whether something is parked already, and the acts on a record"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # By hash, because a body is longer than an entry of a B-tree may be. Not CONCURRENTLY, which is no part of a transaction: whoever parks
    # something meanwhile waits.
    op.execute("CREATE INDEX parked_body ON parked USING hash (body) WHERE status = 'parked'")
    op.execute("CREATE INDEX parked_delivery ON parked USING hash ((headers ->> '_delivery')) WHERE status = 'parked'")
    op.execute("CREATE INDEX parked_audit_record ON parked_audit (parked_id)")


def downgrade() -> None:
    op.drop_index("parked_audit_record", table_name="parked_audit")
    op.drop_index("parked_delivery", table_name="parked")
    op.drop_index("parked_body", table_name="parked")
