"""What the user may do that a server runs as when we are root: own its files, and reach what it executes.

It keeps no capability. access(2), which PostgreSQL asks about its own binaries, sets capabilities aside; and where a process may not
keep one (gVisor, a container without CAP_SETPCAP), there is none to keep.
"""

import os
import stat
from pathlib import Path

from conductor.errors import StartFailed

USER = (65534, 65534)
"""uid and gid of `nobody`: the one user that every Linux has and that owns nothing."""

WALKED = 0o711
"""Of a folder that others may walk through, and not list."""


def applies() -> bool:
    """Whether servers that refuse root are given another user."""
    return os.geteuid() == 0


def give(*paths: Path) -> None:
    """Make the user own these when we are root. Raises StartFailed."""
    if not applies():
        return
    for path in paths:
        try:
            os.chown(path, *USER, follow_symlinks=False)
        except OSError as error:
            raise StartFailed(
                f"root cannot give {path} to user {USER[0]} ({error.strerror}), and PostgreSQL refuses to run as root: run this as "
                "an ordinary user, or give the container CAP_CHOWN"
            ) from error


def let_through(*folders: Path) -> None:
    """Let the user walk through these folders of the run directory when we are root."""
    for folder in folders if applies() else ():
        folder.chmod(WALKED)


def reaches(path: Path) -> bool:
    """Whether a user who owns nothing may walk to the path and execute it."""
    real = path.resolve()
    return all(part.stat().st_mode & stat.S_IXOTH for part in (real, *real.parents))
