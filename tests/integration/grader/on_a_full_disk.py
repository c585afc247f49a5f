"""What `capstone lab` says on a disk that is full, and once it is not: `on_a_full_disk.py DIR`, in a mount namespace of its own.

Prints one JSON document: for each command its exit status, what it said on standard error, and its JSON.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

LABS = Path(__file__).resolve().parents[3] / "labs"
CAPSTONE = str(Path(sys.executable).parent / "capstone")
SIZE_MIB = 48


class Disk:
    """A small one, and commands that know no other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=0755", "none", str(folder)], check=True)
        self.work, self._ballast = folder / "work", folder / "ballast"

    def fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    return

    def empty(self) -> None:
        self._ballast.unlink()

    def types(self, *words: str) -> dict[str, Any]:
        environment = {**os.environ, "CAPSTONE_LABS_DIR": str(self.work), "TMPDIR": str(self.folder)}
        ended = subprocess.run(
            [CAPSTONE, "lab", *words, "--json"], env=environment, capture_output=True, text=True, check=False
        )
        return {
            "status": ended.returncode,
            "stderr": ended.stderr,
            "document": json.loads(ended.stdout) if ended.stdout else None,
            "left": sorted(path.name for path in self.work.iterdir()) if self.work.exists() else [],
        }


def main() -> None:
    """Each command on the full disk, and again with room."""
    disk, said = Disk(Path(sys.argv[1])), {}
    disk.fill()
    said["start-full"] = disk.types("start", "async-or-not")
    disk.empty()
    said["start"] = disk.types("start", "async-or-not")
    shutil.copytree(LABS / "async-or-not" / "answers" / "model", disk.work / "async-or-not", dirs_exist_ok=True)
    disk.fill()
    said["check-full"] = disk.types("check", "async-or-not")
    said["reset-full"] = disk.types("reset", "async-or-not", "--yes")
    disk.empty()
    said["check"] = disk.types("check", "async-or-not")
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
