"""A few numbers in a mapped file: they survive a SIGKILL of their writer without a system call."""

import mmap
import struct
from pathlib import Path

_NUMBER = struct.Struct("<Q")


class KeptNumbers:
    """`count` numbers from 0 on, in a file that is made when there is none."""

    def __init__(self, path: Path, count: int, initial: int = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.stat().st_size != count * _NUMBER.size:
            draft = path.with_name(path.name + ".draft")
            draft.write_bytes(_NUMBER.pack(initial) * count)
            draft.rename(path)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def __getitem__(self, index: int) -> int:
        return int(_NUMBER.unpack_from(self._map, index * _NUMBER.size)[0])

    def __setitem__(self, index: int, value: int) -> None:
        _NUMBER.pack_into(self._map, index * _NUMBER.size, value)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
