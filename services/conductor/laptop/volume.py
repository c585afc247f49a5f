"""A file system of its own for the folder of a StatefulSet's process: ext4 in a file beside the folder, mounted in its place.

A drill fills it without filling the machine's disk, and takes the power from it: what processes wrote and no sync brought to the device is
in the memory of the kernel alone, and the file does not have it. Takes the right to mount, and `mkfs.ext4`.
"""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from conductor.errors import Refused, Unready
from conductor.laptop import environment, signalling
from conductor.pools import Pool
from conductor.runtime import UNCHANGED, Change
from conductor.waiting import until

if TYPE_CHECKING:
    from conductor.laptop.runtime import LocalRuntime

MEBIBYTE = 1 << 20
FILE_SYSTEM_MEBIBYTES = 16
"""What ext4 needs for itself."""
OPTIONS = "loop,noatime,commit=300"
"""The file system's own journal is committed when somebody syncs, and not every 5 s, so that a loss of power loses all it may."""
RELEASED_SECONDS, DEAD_SECONDS = 10.0, 30.0
BALLAST = "ballast"


class VolumeFile:
    """A file system in a file, for a folder that is there. `mount`, `cut` and `unmount` need a folder that no process uses."""

    def __init__(self, folder: Path, free_mebibytes: int) -> None:
        self.folder, self._free_mebibytes = folder, free_mebibytes
        self._image = self.folder.with_name(f"{self.folder.name}.ext4")
        self._aside = self.folder.with_name(f"{self.folder.name}.aside")

    @property
    def mounted(self) -> bool:
        """Whether the folder lies on it now."""
        return self.folder.is_mount()

    def mount(self) -> None:
        """Make the file system, with the folder's files in it."""
        size = _used_mebibytes(self.folder) + FILE_SYSTEM_MEBIBYTES + self._free_mebibytes
        with self._image.open("wb") as file:
            os.truncate(file.fileno(), size * MEBIBYTE)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        self.folder.rename(self._aside)
        self.folder.mkdir(mode=0o700)
        try:
            _run("mount", "-o", OPTIONS, str(self._image), str(self.folder))
        except Refused:
            self.folder.rmdir()
            self._aside.rename(self.folder)
            raise
        _copy(self._aside, self.folder)
        # The files are older than any loss of power that is to come.
        _run("sync", "--file-system", str(self.folder))

    def unmount(self) -> None:
        """Put the files back to where they were."""
        shutil.rmtree(self._aside)
        self._aside.mkdir(mode=0o700)
        _copy(self.folder, self._aside)
        _release(self.folder)
        self.folder.rmdir()
        self._aside.rename(self.folder)
        self._image.unlink()

    def fill(self) -> int:
        """Take all room that is left. Returns how many bytes that were."""
        with (self.folder / BALLAST).open("ab", buffering=0) as file:
            before = -1
            while file.tell() != before:
                before = file.tell()
                for size in (MEBIBYTE, 4096):
                    with _until_full():
                        while True:
                            file.write(bytes(size))
                # What was given back lately can be taken after a sync only.
                with _until_full():
                    os.fsync(file.fileno())
            return file.tell()

    def free(self) -> None:
        """Give the room back."""
        (self.folder / BALLAST).unlink()

    def cut(self, look: Callable[[], None]) -> None:
        """Lose what no sync brought to the device; `look` is called before, with the folder as processes left it."""
        left = self._image.with_suffix(".left")
        # At once, because the kernel writes to the device what was not synced as well, some seconds later.
        shutil.copyfile(self._image, left)
        look()
        _release(self.folder)
        left.replace(self._image)
        _run("mount", "-o", OPTIONS, str(self._image), str(self.folder))


class OwnVolume(VolumeFile):
    """That of a pool's first process; see conductor.runtime.Volume."""

    def __init__(self, runtime: "LocalRuntime", pool: Pool, free_mebibytes: int) -> None:
        super().__init__(environment.folder(runtime.platform.run, runtime.platform.name, pool, 0), free_mebibytes)
        self._runtime, self._pool = runtime, pool

    def lose_power(self, look: Callable[[], None]) -> None:
        """See conductor.runtime.Volume."""
        runtime = self._runtime
        supervisor = int((runtime.platform.run.path / "supervisord.pid").read_text())
        # Asked for before: a supervisor that stands still answers nobody.
        tree = next(iter(runtime.trees(self._pool.name)), None)
        if tree is None:
            raise Refused(f"{self._pool.name} has no process, so none can lose its power")
        # Or it would start them again at once.
        signalling.send(supervisor, signal.SIGSTOP)
        try:
            _kill(tree.pid)
            self.cut(look)
        finally:
            signalling.send(supervisor, signal.SIGCONT)
        runtime.wait_ready()


def _kill(pid: int) -> None:
    """End a process and all below it by SIGKILL, those first that start others."""
    doomed = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    for one in doomed:
        signalling.send(one, signal.SIGKILL)
    if not until(lambda: all(map(signalling.dead, doomed)), within_seconds=DEAD_SECONDS):
        raise Unready(f"processes {doomed} were sent SIGKILL, and some go on after {DEAD_SECONDS:g} s")


@contextlib.contextmanager
def own_volume(
    runtime: "LocalRuntime", pool: Pool, free_mebibytes: int, change: Change = UNCHANGED
) -> Iterator[OwnVolume]:
    """See conductor.runtime.ProcessRuntime.own_volume."""
    if why := missing_right():
        raise Refused(why)
    volume = OwnVolume(runtime, pool, free_mebibytes)
    try:
        runtime.roll(pool.name, change, between=volume.mount)
        yield volume
    finally:
        if volume.mounted:
            runtime.roll(pool.name, between=volume.unmount)


def missing_right() -> str | None:
    """Why nothing can be mounted here; None where it can."""
    if os.geteuid() != 0:
        return "a volume of its own has to be mounted, which takes root"
    if shutil.which("mkfs.ext4") is None:
        return "a volume of its own takes mkfs.ext4, of the package e2fsprogs"
    return None


def release_below(folder: Path) -> None:
    """Unmount what a drill that was killed left mounted."""
    for line in Path("/proc/self/mounts").read_text().splitlines() if Path("/proc/self/mounts").exists() else ():
        mounted = Path(line.split()[1].encode().decode("unicode_escape"))
        if folder in mounted.parents:
            _release(mounted)


def _release(folder: Path) -> None:
    said = ""

    def released() -> bool:
        nonlocal said
        done = subprocess.run(["umount", str(folder)], capture_output=True, text=True, check=False)
        said = done.stderr.strip()
        return not done.returncode

    if not until(released, within_seconds=RELEASED_SECONDS):
        raise Unready(f"{folder} cannot be unmounted: {said}")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"{' '.join(command)}: {done.stderr.strip()}")


def _copy(source: Path, target: Path) -> None:
    """All files, with their modes; a socket is made anew by who listens."""

    def passed_over(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name == "lost+found" or Path(folder, name).is_socket()]

    shutil.copytree(source, target, dirs_exist_ok=True, ignore=passed_over)


def _used_mebibytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // MEBIBYTE + 1


@contextlib.contextmanager
def _until_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
