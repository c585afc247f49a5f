"""`python -m chassis.migrate orders.app`: bring the service's database to the newest schema, by the scripts in `adapters/migrations` beside
its app.

Safe to repeat and to run twice at once. It runs ahead of every pod, so that there is nothing to be done it finds out without Alembic,
SQLAlchemy and the service's own modules: importing those takes longer than all the rest.
"""

import importlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import psycopg

from chassis.errors import BadSetting
from chassis.revisions import is_settled

SCHEME = "postgresql+psycopg://"


def migrate(database_url: str, scripts: Path, *, revision: str = "head") -> None:
    """Upgrade to `revision`. Raises sqlalchemy.exc.OperationalError when the server cannot be reached or a lock cannot be had in 5 s, and
    BadSetting when there is no folder of scripts, or a script does not say which revision it is."""
    if not _has_nothing_to_do(database_url, scripts):
        from chassis.schema_upgrade import upgrade

        upgrade(database_url, scripts, revision)


def scripts_of(app: str) -> Path:
    """Where the scripts of a service lie, by the name of its app module, which is not imported. Raises BadSetting when there is none."""
    try:
        module = find_spec(app)
    except ModuleNotFoundError:
        module = None
    if module is None or module.origin is None:
        raise BadSetting(f"there is no module {app}")
    return Path(module.origin).parent / "adapters" / "migrations"


def _has_nothing_to_do(database_url: str, scripts: Path) -> bool:
    """A quick look without a lock. Whatever cannot be read so is for the upgrade to say."""
    try:
        with psycopg.connect(database_url.replace(SCHEME, "postgresql://", 1)) as conn:
            rows = conn.execute("SELECT version_num FROM alembic_version").fetchall()
    except psycopg.Error:
        return False
    return is_settled((row[0] for row in rows), scripts)


def _database_url(app: str) -> str:
    url = os.environ.get("DATABASE_URL", "")
    # Settings know what is wrong with any other.
    return url if url.startswith(SCHEME) else str(importlib.import_module(app).SETTINGS().database_url)


def main(argv: list[str]) -> int:
    """Migrate the service named by its app module."""
    app = argv[1]
    migrate(_database_url(app), scripts_of(app))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
