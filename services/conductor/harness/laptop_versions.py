"""Other versions of a capstone's code on a laptop: folders of services that a rolled process runs in the place of this checkout's."""

import contextlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.capabilities import HasNewerVersion
from conductor.capstone import capability
from conductor.run_directory import CHECKOUT, home
from conductor.runtime import Change

if TYPE_CHECKING:
    from conductor.harness.laptop_session import LaptopSession

SMALL_ROLES = ("api", "relay")
"""Who writes commands and who publishes them: in a small drill these and one pool that runs them go back."""


class LaptopVersions:
    """See conductor.harness.session.Versions."""

    def __init__(self, session: "LaptopSession", folder: Path) -> None:
        self._session = session
        self._folder = folder
        self.rolled: list[str] = []
        """Pools that run other code than this checkout's, in the order in which they began to."""

    @property
    def _newer(self) -> HasNewerVersion:
        return capability(self._session.capstone, HasNewerVersion)

    def previous_beside(self) -> None:
        session = self._session
        code = _previous(session.capstone.name, self._folder / "previous")
        if code is None:
            session.reporter.tell("there is no previous commit here: this version is its own predecessor")
            return
        pools = list(session.runtime.pools()) if session.size.large else self._few()
        session.reporter.phase("the previous commit's code beside this one's")
        for pool in pools:
            session.await_loaded()
            session.reporter.tell(f"{pool} goes back to the previous commit")
            session.roll(pool, Change(code=code))
            session.await_progress(1)
        session.reporter.phase("and forward again")
        for pool in reversed(pools):
            session.await_loaded()
            session.roll(pool)
            session.await_progress(1)

    def newer_beside(self) -> None:
        # A pool has one process here: what only the newer version knows reaches the older one alone.
        self._session.reporter.phase(f"a newer version's {self._newer.task} reaches this one")

    def newer_alone(self) -> None:
        self.forward(self._newer.pool, self._newer.code)

    def forward(self, pool: str, code: str) -> None:
        """Have a pool run this checkout's code with `code` at the end of the application's module."""
        folder = self._folder / f"next-{pool}"
        self.rolled.append(pool)
        self._session.roll(pool, Change(code=_next(self._session.capstone.name, code, folder)))

    def back(self, pool: str) -> None:
        """Have a pool run this checkout's code again."""
        self._session.roll(pool)
        self.rolled.remove(pool)

    def _few(self) -> list[str]:
        pools = self._session.runtime.pools()
        first = self._session.capstone.targets[0].pool
        return [name for name, pool in pools.items() if pool.role in SMALL_ROLES or name == first]


@contextlib.contextmanager
def unpacked(session: "LaptopSession") -> Iterator[LaptopVersions]:
    """Versions in a folder of their own. The code goes with its folder, so whoever runs it is rolled back first."""
    with tempfile.TemporaryDirectory(prefix="capstone-versions-") as folder:
        versions = LaptopVersions(session, Path(folder))
        try:
            yield versions
        finally:
            for pool in versions.rolled:
                session.roll(pool)


def _previous(capstone: str, folder: Path) -> Path | None:
    """The services of the commit before the last one, unpacked; None where there is none (no git, no history)."""
    try:
        archive = subprocess.run(
            ["git", "archive", "--format=tar", "HEAD~1", "services"], cwd=CHECKOUT, capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder if (folder / "services" / capstone / "app.py").exists() else None


def _next(capstone: str, code: str, folder: Path) -> Path:
    """This checkout's services, with `code` at the end of the capstone's application."""
    for package, root in (("chassis", CHECKOUT), (capstone, home(capstone))):
        ignored = shutil.ignore_patterns("__pycache__", "tests")
        shutil.copytree(root / "services" / package, folder / "services" / package, ignore=ignored)
    with (folder / "services" / capstone / "app.py").open("a") as app:
        app.write(code)
    return folder
