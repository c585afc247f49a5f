"""A platform of those who may not do what root may: an ordinary user in a fresh copy of the project, and a container's root.

What root may do in a folder that is closed to others is every other test's of a platform: `.ci/run` closes its checkout.
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]
SYSTEMS_OWN = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONTAINERS_CAPABILITIES = [
    "chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service", "net_raw", "sys_chroot",
    "mknod", "audit_write", "setfcap",
]  # fmt: skip
"""What Docker and containerd leave to a container's root."""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.drill,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else"),
]


class Person:
    """Somebody who types commands in a folder."""

    def __init__(self, folder: Path, wrapper: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._wrapper = ("setpriv", "--no-new-privs", *wrapper)
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_", "LANG"))}
        self._environment = {**kept, **environment}

    def types(self, *command: str) -> str:
        """What the command prints; it has to end well."""
        done = subprocess.run(
            [*self._wrapper, *command],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def works(self, *capstone: str) -> str:
        """Have an order delivered, back up and restore; what the restore says."""
        order_id = self.types(*capstone, "order", "place").split()[-1]
        self.types(*capstone, "order", "watch", order_id, "--until", "delivered")
        self.types(*capstone, "backup")
        return self.types(*capstone, "restore", "--to", datetime.now(UTC).isoformat())


@pytest.fixture
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that its owner alone may enter, in one that everybody may."""
    made = Path("/var/tmp") / f"test-{os.getpid()}-{tmp_path_factory.getbasetemp().name}"
    made.mkdir(mode=0o700)
    yield made
    shutil.rmtree(made)


def left_over(folder: Path) -> list[list[str]]:
    commands = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
    return [command for command in commands if str(folder) in " ".join(command)]


def test_an_ordinary_user_starts_uses_restores_and_ends_a_platform(closed: Path) -> None:
    ignored = shutil.ignore_patterns(".*", "__pycache__", "node_modules")
    copy, nobody = Path(shutil.copytree(ROOT, closed / "capstones", ignore=ignored)), pwd.getpwnam("nobody")
    for path in (closed, *closed.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    wrapper = ("--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups")
    # Not this process' PATH: its Python may lie in root's home.
    person = Person(copy, wrapper, {"HOME": str(closed), "PATH": SYSTEMS_OWN})

    person.types("make", "up")
    try:
        restored = person.works(".venv/bin/capstone")
    finally:
        person.types("make", "down")

    assert (True, []) == ("\nrestored to " in restored, left_over(closed))


def test_the_root_of_a_container_starts_uses_restores_and_ends_a_platform(closed: Path) -> None:
    kept = ",".join(["-all", *(f"+{name}" for name in CONTAINERS_CAPABILITIES)])
    environment = {"HOME": str(closed), "PATH": os.environ["PATH"], "CAPSTONE_RUN_DIR": str(closed / "run")}
    person = Person(ROOT, ("--bounding-set", kept), environment)
    capstone = (sys.executable, "-m", "conductor")

    person.types(*capstone, "up")
    try:
        restored = person.works(*capstone)
    finally:
        person.types(*capstone, "down")

    assert (True, []) == ("\nrestored to " in restored, left_over(closed))
