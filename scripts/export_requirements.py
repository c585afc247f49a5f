"""Writes the hashed requirements files that plain pip installs from, out of uv.lock.

`python scripts/export_requirements.py [DIRECTORY]` writes requirements.txt (what running needs, and the one build
backend) and requirements-dev.txt (the tests' tools as well) into DIRECTORY, here when there is none.
"""

import subprocess
import sys
from pathlib import Path

EXPORT = ["-m", "uv", "export", "--quiet", "--frozen", "--all-packages", "--no-emit-workspace", "--no-header"]
FILES = {
    "requirements.txt": ["--no-default-groups", "--group", "build"],
    "requirements-dev.txt": ["--all-groups"],
}


def export(directory: Path) -> None:
    """Write both files; raises CalledProcessError when uv refuses the lock."""
    for name, groups in FILES.items():
        subprocess.run([sys.executable, *EXPORT, *groups, "-o", str(directory / name)], check=True)


if __name__ == "__main__":
    export(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
