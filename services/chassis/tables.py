"""The chassis' own tables, in the database of the service that uses them: the outbox, and what was parked.

A row of `outbox` is a command that has to run until somebody records its outcome; it is deleted in the transaction that does.
So the table holds open work only, and nothing that was accepted can be forgotten by a broker.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()

NOW = sa.text("now()")

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("queue", sa.Text, nullable=False),
    sa.Column("body", JSONB, nullable=False),
    sa.Column("headers", JSONB, nullable=False, server_default=sa.text("'{}'")),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
    # When it is to be published; one lease ahead of the last publication while its outcome is awaited.
    sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
    # When it last became due by its own wish; nobody who publishes it moves this. Null in rows of an earlier version.
    sa.Column("wanted_at", sa.DateTime(timezone=True)),
    # When it was started last; the start has no outcome while `attempts` is not 0.
    sa.Column("started_at", sa.DateTime(timezone=True)),
    # Times published since it last became due by its own wish; 0 = a delivery that turns up now is stale.
    sa.Column("issued", sa.Integer, nullable=False, server_default="0"),
    # Starts without an outcome: every one of them is a worker that died, or is still at it.
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    # An earlier start may have had an effect that nobody recorded.
    sa.Column("begun", sa.Boolean, nullable=False, server_default=sa.false()),
    # Outcomes "try again".
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_error", sa.Text),
    sa.Column("state", sa.Text, nullable=False, server_default="open"),
    sa.CheckConstraint("state IN ('open', 'parked')", name="outbox_state"),
    sa.Index("outbox_due", "queue", "due_at", postgresql_where=sa.text("state = 'open'")),
    # The table is a queue: rows live for seconds, so vacuum must not wait for a share of them.
    postgresql_with={
        "autovacuum_vacuum_scale_factor": "0.0",
        "autovacuum_vacuum_threshold": "2000",
        "fillfactor": "70",
    },
)

parked = sa.Table(
    "parked",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("parked_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
    sa.Column("queue", sa.Text, nullable=False),
    sa.Column("task", sa.Text, nullable=False),
    # The outbox key, when the message was an outbox command; a replay re-opens that row.
    sa.Column("key", sa.Text),
    sa.Column("body", JSONB, nullable=False),
    sa.Column("headers", JSONB, nullable=False, server_default=sa.text("'{}'")),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False, server_default=""),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("status", sa.Text, nullable=False, server_default="parked"),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
    sa.CheckConstraint("status IN ('parked', 'replayed', 'dropped')", name="parked_status"),
    sa.Index("parked_open", "parked_at", postgresql_where=sa.text("status = 'parked'")),
    # Whether something is parked already is asked of these. A hash, because a body is longer than an entry of a B-tree may be.
    sa.Index("parked_body", "body", postgresql_using="hash", postgresql_where=sa.text("status = 'parked'")),
    sa.Index(
        "parked_delivery",
        sa.text("(headers ->> '_delivery')"),
        postgresql_using="hash",
        postgresql_where=sa.text("status = 'parked'"),
    ),
)

parked_audit = sa.Table(
    "parked_audit",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("parked_id", sa.BigInteger, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("act", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False, server_default=""),
    sa.Index("parked_audit_record", "parked_id"),
)
