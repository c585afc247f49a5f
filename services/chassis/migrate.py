"""`python -m chassis.migrate orders.app`: bring the service's database to the newest schema.

Safe to repeat and to run twice at once: an advisory lock lets one in, the other finds nothing to do. Statements give up after
`lock_timeout` rather than queue behind a long transaction and block every reader after them.
"""

import importlib
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from chassis.loggers import get_logger

log = get_logger(__name__)

# Any number will do, as long as no other advisory lock of the same database uses it.
_LOCK = 0x63656C65


def migrate(database_url: str, scripts: Path, *, revision: str = "head") -> None:
    """Upgrade to `revision`. Raises sqlalchemy.exc.OperationalError when the server cannot be reached or a lock cannot be had in 5 s."""
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    with engine.connect() as conn:
        conn.execute(sa.text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        conn.commit()
        try:
            conn.execute(sa.text("SET lock_timeout = '5s'"))
            conn.commit()
            config = Config()
            config.set_main_option("script_location", str(scripts).replace("%", "%%"))
            config.attributes["connection"] = conn
            if _is_ahead(conn, ScriptDirectory.from_config(config)):
                log.warning("database_is_ahead", scripts=str(scripts))
            else:
                command.upgrade(config, revision)
            conn.commit()
        finally:
            conn.rollback()
            conn.execute(sa.text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
            conn.commit()


def _is_ahead(conn: sa.Connection, scripts: ScriptDirectory) -> bool:
    """Whether a newer version has been here. Migrations only expand, so this version works with what it left, and a rollback
    must not fail on it."""
    heads = MigrationContext.configure(conn).get_current_heads()
    known = {script.revision for script in scripts.walk_revisions()}
    return not known.issuperset(heads)


def main(argv: list[str]) -> int:
    """Migrate the service named by its app module."""
    service = importlib.import_module(argv[1])
    migrate(service.SETTINGS().database_url, service.MIGRATIONS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
