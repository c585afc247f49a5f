"""The code of a program as files that change: copied to where they can be written, and known by their content, never by their times."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

Contents = dict[str, str]
"""A digest for each file, by its path below the folder."""


def bring(source: Path, code: Path) -> None:
    """Copy the code, whole or not at all, unless it is there: processes may begin at once, and a broken-off copy must not be taken for it.

    Modules that the image compiled are copied too: Python compares the digest of the source that each holds with the source.
    """
    if code.exists():
        return
    beside = Path(tempfile.mkdtemp(dir=code.parent))
    shutil.copytree(source, beside, dirs_exist_ok=True)
    try:
        beside.rename(code)
    except OSError:
        if not code.exists():
            raise
        shutil.rmtree(beside)  # another was first


class Folder:
    """The files below a folder, compiled ones left out. A look costs one `stat` a file; only a file that was touched is read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stats: dict[str, tuple[int, int, int]] = {}
        self.contents: Contents = {}
        """What was there at the last look."""
        self.look()

    def look(self) -> bool:
        """Read what was touched since the last look; whether anything was."""
        stats: dict[str, tuple[int, int, int]] = {}
        contents: Contents = {}
        for entry in _files(str(self._root)):
            name = os.path.relpath(entry.path, self._root)
            with contextlib.suppress(FileNotFoundError):  # being replaced right now
                found = entry.stat()
                stats[name] = (found.st_mtime_ns, found.st_size, found.st_ino)
                known = self._stats.get(name) == stats[name]
                contents[name] = self.contents[name] if known else _digest(entry.path)
        touched = stats != self._stats
        self._stats, self.contents = stats, contents
        return touched

    def broken(self, names: Iterable[str]) -> list[str]:
        """`FILE:LINE: REASON` for each of these modules that Python cannot compile."""
        found = []
        for name in names:
            try:
                compile((self._root / name).read_bytes(), name, "exec", dont_inherit=True)
            except SyntaxError as error:
                found.append(f"{name}:{error.lineno}: {error.msg}")
            except ValueError as error:  # a null byte
                found.append(f"{name}: {error}")
            except FileNotFoundError:  # deleted: nothing to compile
                continue
        return found


def differing(one: Contents, other: Contents) -> list[str]:
    """The files that the two do not share."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _files(folder: str) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _files(entry.path)
            elif not entry.name.endswith(".pyc"):
                yield entry


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
