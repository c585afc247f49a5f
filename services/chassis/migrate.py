"""`python -m chassis.migrate orders.app`: bring the service's database to the newest schema, by the scripts in `adapters/migrations` beside
its app.

Safe to repeat and to run twice at once. It runs ahead of every pod, so that there is nothing to be done it finds out without Alembic,
SQLAlchemy and the service's own modules: importing those takes longer than all the rest.
"""

import ast
import contextlib
import importlib
import os
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from chassis.errors import BadSetting

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


def is_settled(current: Iterable[str], scripts: Path) -> bool:
    """Whether a database at these revisions needs none of the scripts: it is at the newest, or a newer version has been here.

    Migrations only expand, so this version works with what a newer one left, and a rollback must not fail on it.
    """
    folder = scripts / "versions"
    if not folder.is_dir():
        raise BadSetting(f"{folder} is no folder: it holds the migrations of the app beside {scripts.parent}")
    known: set[str] = set()
    replaced: set[str] = set()
    for script in sorted(folder.glob("*.py")):
        revision, before = _says(script)
        known.add(revision)
        replaced.update((before,) if isinstance(before, str) else before or ())
    found = set(current)
    if found <= known:
        return found == known - replaced
    from chassis.loggers import get_logger

    get_logger(__name__).warning("database_is_ahead", revisions=sorted(found), scripts=str(scripts))
    return True


def _says(script: Path) -> tuple[str, Any]:
    """A script's revision, and the one or more that it follows."""
    told: dict[str, Any] = {}
    for line in ast.parse(script.read_bytes()).body:
        match line:
            case (
                ast.Assign(targets=[ast.Name("revision" | "down_revision" as name)], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name("revision" | "down_revision" as name), value=ast.expr() as value)
            ):
                with contextlib.suppress(ValueError):
                    told[name] = ast.literal_eval(value)
    if not isinstance(told.get("revision"), str):
        raise BadSetting(f'{script} must say which it is, as a plain string: revision = "…"')
    return told["revision"], told.get("down_revision")


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
