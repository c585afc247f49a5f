"""PostgreSQL's archive_command and restore_command: `python -S wal_archive.py put FILE FOLDER` and `get NAME FOLDER FILE`.

A file is in the archive whole or not at all: written beside, synced, renamed, and its folder synced. Segments are compressed, since most
are closed half empty by archive_timeout. Without the folder nothing is archived: the first backup makes it. Standard library only.

https://www.postgresql.org/docs/18/continuous-archiving.html: a file that is there already must not be replaced by another one.
"""

import gzip
import os
import shutil
import sys
from pathlib import Path


def put(file: Path, folder: Path) -> int:
    """Archive one file; 0 when it is safe there. PostgreSQL keeps the file and tries again after anything else."""
    if not folder.is_dir():
        return 0
    kept = folder / f"{file.name}.gz"
    if kept.exists():
        with gzip.open(kept) as there, file.open("rb") as here:
            if there.read() == here.read():
                return 0
        print(f"{kept} is another file than {file}: it is not replaced", file=sys.stderr)
        return 1
    fresh = folder / f".{file.name}.new"
    with file.open("rb") as source, fresh.open("wb") as target:
        with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=1, mtime=0) as packed:
            shutil.copyfileobj(source, packed, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    fresh.rename(kept)
    _sync(folder)
    return 0


def get(name: str, folder: Path, file: Path) -> int:
    """Bring one file back; 1 when it is not there, which is how PostgreSQL learns where the archive ends."""
    try:
        with gzip.open(folder / f"{name}.gz") as packed, file.open("wb") as target:
            shutil.copyfileobj(packed, target, 1 << 20)
    except FileNotFoundError:
        return 1
    return 0


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main(act: str, *arguments: str) -> int:
    """What the command line says; the exit status."""
    if act == "put":
        return put(Path(arguments[0]), Path(arguments[1]))
    return get(arguments[0], Path(arguments[1]), Path(arguments[2]))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
