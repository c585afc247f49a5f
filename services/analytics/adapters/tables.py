"""The analytics' own tables: which reports were made, and receipts of erasures."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()

_NOW = sa.text("now()")

report_revisions = sa.Table(
    "report_revisions",
    metadata,
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("begin_ms", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("made_at", sa.DateTime(timezone=True), nullable=False, server_default=_NOW),
    sa.CheckConstraint("period IN ('hour', 'day')", name="report_revisions_period"),
)

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    # Not the id itself, or the receipt would keep what was to be erased.
    sa.Column("user_sha256", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False, server_default=_NOW),
    sa.Column("receipt", JSONB, nullable=False),
)
