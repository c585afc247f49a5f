"""Alembic's upgrade under an advisory lock: of two at once one waits, and finds nothing to do.

Statements give up after `lock_timeout` rather than queue behind a long transaction and block every reader after them. All of it is one
transaction, and nothing belongs to the session: behind a pooler in transaction mode a session's lock would stay with a connection that
others use. `statement_timeout` is off, because a role may have one that suits the service and not an index on a large table.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from chassis import advisory_locks
from chassis.database import connect
from chassis.revisions import is_settled


def upgrade(database_url: str, scripts: Path, revision: str) -> None:
    """See chassis.migrate."""
    engine = connect(database_url, pool_size=0, statement_timeout_seconds=0, pooler=True)
    with engine.begin() as conn:
        conn.execute(sa.text("SET LOCAL lock_timeout TO 0"))
        conn.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": advisory_locks.SCHEMA})
        conn.execute(sa.text("SET LOCAL lock_timeout TO '5s'"))
        # Whoever had the lock may have done it all, or more.
        if is_settled(MigrationContext.configure(conn).get_current_heads(), scripts):
            return
        config = Config()
        config.set_main_option("script_location", str(scripts).replace("%", "%%"))
        config.attributes["connection"] = conn
        command.upgrade(config, revision)
