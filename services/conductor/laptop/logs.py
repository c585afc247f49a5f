"""Reads the processes' logs: the last lines of each, and then, when asked, whatever is written."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from conductor.errors import Refused
from conductor.laptop.platform import capstone_of, pool_of

POLL_SECONDS = 0.2


def read(
    folder: Path, process: str | None, *, lines: int, follow: bool, capstone: str | None = None
) -> Iterator[tuple[str, str]]:
    """(process, line), the last `lines` of each file first; Refused when there is no such.

    `process` may name a pool, also as NAME/POOL; with `capstone` only that one's.
    """
    files = {
        path.stem: path
        for path in sorted(folder.glob("*.log"))
        if _meant(path.stem, process) and (capstone is None or path.stem.startswith(f"{capstone}."))
    }
    if not files:
        names = ", ".join(sorted(path.stem for path in folder.glob("*.log")))
        raise Refused(f'there is no log of "{process}"; there are {names}')
    opened: dict[str, TextIO] = {name: path.open(errors="replace") for name, path in files.items()}
    try:
        for name, file in opened.items():
            for line in deque(file, maxlen=lines):
                yield name, line.rstrip("\n")
        while follow:
            time.sleep(POLL_SECONDS)
            for name, path in files.items():
                opened[name] = _current(opened[name], path)
                for line in opened[name]:
                    yield name, line.rstrip("\n")
    finally:
        for file in opened.values():
            file.close()


def _meant(name: str, process: str | None) -> bool:
    """Whether the process `name` is the one that was named, or one of the pool that was."""
    pool = pool_of(name)
    return process in (None, name) or (pool is not None and process in (pool, f"{capstone_of(name)}/{pool}"))


def _current(file: TextIO, path: Path) -> TextIO:
    """The same file, or the new one when the supervisor has begun a new one."""
    try:
        if path.stat().st_size >= file.tell():
            return file
    except FileNotFoundError:
        return file
    file.close()
    return path.open(errors="replace")
