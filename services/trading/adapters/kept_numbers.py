"""A few numbers in a mapped file: they survive a SIGKILL of their writer without a system call."""

import mmap
from pathlib import Path

from trading.adapters.atomic_numbers import numbers

BYTES = 8


class KeptNumbers:
    """`count` numbers from 0 on, in a file that is made when there is none."""

    def __init__(self, path: Path, count: int, initial: int = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.stat().st_size != count * BYTES:
            draft = path.with_name(path.name + ".draft")
            draft.write_bytes(initial.to_bytes(BYTES, "little") * count)
            draft.rename(path)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._numbers = numbers(self._map)

    def __getitem__(self, index: int) -> int:
        return int(self._numbers[index])

    def __setitem__(self, index: int, value: int) -> None:
        self._numbers[index] = value

    def close(self) -> None:
        """Let go of the file."""
        self._numbers.release()
        self._map.close()
