"""The learner's folders: made from a lab's starter, copied before they are graded, put back to the start.

A workspace appears and goes by one rename, so that a command that was killed leaves the whole old one or the whole new one.
"""

import contextlib
import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from grader.adapters import patches
from grader.errors import WorkspaceError

LEFT_OUT = {".git", ".venv", "venv", "__pycache__", "node_modules", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
"""Folders that tools make; they are not graded."""

PATCH = "answer.patch"

MOST_FILES = 500
MOST_BYTES = 32 * 1024 * 1024
"""Of what is graded. More is a mistake, such as a virtual environment under another name."""


def start(starters: Sequence[Path], readme: Path, workspace: Path) -> None:
    """Make the workspace; raises WorkspaceError when there is one."""
    if workspace.exists() or workspace.is_symlink():
        raise WorkspaceError(f"{workspace} is there already: `capstone lab reset {workspace.name}` begins again")
    with _named(workspace):
        _prepared(starters, readme, workspace.parent).rename(workspace)


def reset(starters: Sequence[Path], readme: Path, workspace: Path) -> Path | None:
    """Make it as at the start. What was there is moved away; where to, when there was something."""
    kept = None
    with _named(workspace):
        fresh = _prepared(starters, readme, workspace.parent)
        if workspace.exists() or workspace.is_symlink():
            kept = _free_place(workspace.parent / ".before-reset", workspace.name)
            workspace.rename(kept)
        fresh.rename(workspace)
    return kept


def copy(workspace: Path, to: Path) -> list[str]:
    """Copy what is to be graded into a new folder; the names of what was left out because it is no plain file.

    Links are not followed: what lies outside the workspace is not the learner's answer. Raises WorkspaceError.
    """
    if not workspace.is_dir() or workspace.is_symlink():
        raise WorkspaceError(f"{workspace} is not there: `capstone lab start {workspace.name}` makes it")
    to.mkdir(parents=True)
    left_out, files, size = [], 0, 0
    for path, relative, mode in _walk(workspace, workspace):
        if stat.S_ISDIR(mode):
            (to / relative).mkdir()
        elif stat.S_ISREG(mode):
            files, size = files + 1, size + path.stat().st_size
            if files > MOST_FILES or size > MOST_BYTES:
                raise WorkspaceError(
                    f"{workspace} holds more than {MOST_FILES} files or {MOST_BYTES // 2**20} MiB: keep only your answer in it"
                )
            shutil.copyfile(path, to / relative, follow_symlinks=False)
        else:
            left_out.append(str(relative))
    return left_out


def place(folder: Path, name: str, data: str | bytes) -> Path:
    """Put one file into a folder that learner code may be writing to, by a relative path; where it is.

    It takes the place of whatever has that name, and folders that of whatever is no folder: written through a link, it would be a file
    outside. Everything goes by descriptors, because a link could come in between.
    """
    *above, last = Path(name).parts or ("..",)
    if Path(name).is_absolute() or ".." in (*above, last):
        raise ValueError(f"{name!r} is not a path inside the folder")
    with contextlib.ExitStack() as opened:
        inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        opened.callback(os.close, inside)
        for part in above:
            inside = _entered(part, inside)
            opened.callback(os.close, inside)
        made = f".placed-{secrets.token_hex(8)}"
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=inside), "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(data.encode() if isinstance(data, str) else data)
        try:
            os.replace(made, last, src_dir_fd=inside, dst_dir_fd=inside)
        except IsADirectoryError:
            shutil.rmtree(last, dir_fd=inside)
            os.replace(made, last, src_dir_fd=inside, dst_dir_fd=inside)
    return folder / name


def _entered(name: str, inside: int) -> int:
    """The descriptor of a folder in a folder; made where there is none, in the place of whatever else has its name."""
    while True:
        try:
            return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=inside)
        except FileNotFoundError:
            os.mkdir(name, 0o755, dir_fd=inside)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            os.unlink(name, dir_fd=inside)


def overlay(answer: Path, to: Path) -> None:
    """Put an answer's files over what is there, or change that by a patch. Raises LabInvalid for one that does not fit.

    An answer to a lab on a whole system is a folder with a patch: copies of its files would be those of an older system soon.
    """
    patch = answer if answer.is_file() else answer / PATCH
    if patch.is_file():
        patches.apply(patch, to)
        return
    shutil.copytree(answer, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*LEFT_OUT))


def _walk(folder: Path, root: Path) -> Iterator[tuple[Path, Path, int]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            mode = entry.stat(follow_symlinks=False).st_mode
            if entry.name in LEFT_OUT and stat.S_ISDIR(mode):
                continue
            path = Path(entry.path)
            yield path, path.relative_to(root), mode
            if stat.S_ISDIR(mode):
                yield from _walk(path, root)


def _prepared(starters: Sequence[Path], readme: Path, beside: Path) -> Path:
    """A finished workspace under another name; what a killed command left of that kind is removed first."""
    beside.mkdir(parents=True, exist_ok=True)
    for left in beside.glob(".making-*"):
        shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=beside))
    made.chmod(0o755)
    try:
        for starter in starters:
            overlay(starter, made)
        shutil.copyfile(readme, made / "README.md")
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return made


@contextlib.contextmanager
def _named(workspace: Path) -> Iterator[None]:
    """What the disk refuses, such as a full one, becomes a WorkspaceError that names the workspace and the reason."""
    try:
        yield
    except shutil.Error as error:
        # One entry a file, with the text of its error: `[Errno 28] No space left on device: 'FROM' -> 'TO'`.
        why = str(error.args[0][0][2]).partition("] ")[2].partition(":")[0]
        raise WorkspaceError(f"{workspace} cannot be written: {why}") from error
    except OSError as error:
        raise WorkspaceError(f"{workspace} cannot be written: {error.strerror}") from error


def _free_place(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    number = 1
    while (folder / f"{name}-{number}").exists():
        number += 1
    return folder / f"{name}-{number}"
