"""Alembic's upgrade under an advisory lock: of two at once one waits, and finds nothing to do.

Statements give up after `lock_timeout` rather than queue behind a long transaction and block every reader after them.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from chassis import advisory_locks
from chassis.revisions import is_settled


def upgrade(database_url: str, scripts: Path, revision: str) -> None:
    """See chassis.migrate."""
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    with engine.connect() as conn:
        conn.execute(sa.text("SELECT pg_advisory_lock(:lock)"), {"lock": advisory_locks.SCHEMA})
        conn.commit()
        try:
            conn.execute(sa.text("SET lock_timeout = '5s'"))
            conn.commit()
            # Whoever had the lock may have done it all, or more.
            if not is_settled(MigrationContext.configure(conn).get_current_heads(), scripts):
                config = Config()
                config.set_main_option("script_location", str(scripts).replace("%", "%%"))
                config.attributes["connection"] = conn
                command.upgrade(config, revision)
            conn.commit()
        finally:
            conn.rollback()
            conn.execute(sa.text("SELECT pg_advisory_unlock(:lock)"), {"lock": advisory_locks.SCHEMA})
            conn.commit()
