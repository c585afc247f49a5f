"""Whether a database needs any of a service's migrations, by what the scripts say of themselves: read, and not run."""

import ast
import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chassis.errors import BadSetting


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
