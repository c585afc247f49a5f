"""Reads the processes' logs: the last lines of each, and then, when asked, whatever is written."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from conductor.errors import Refused
from conductor.laptop.platform import pool_of

POLL_SECONDS = 0.2


def read(folder: Path, process: str | None, *, lines: int, follow: bool) -> Iterator[tuple[str, str]]:
    """(process, line), the last `lines` of each file first; `process` may name a pool. Refused when there is no such."""
    files = {
        path.stem: path for path in sorted(folder.glob("*.log")) if process in (None, path.stem, pool_of(path.stem))
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


def _current(file: TextIO, path: Path) -> TextIO:
    """The same file, or the new one when the supervisor has begun a new one."""
    try:
        if path.stat().st_size >= file.tell():
            return file
    except FileNotFoundError:
        return file
    file.close()
    return path.open(errors="replace")
