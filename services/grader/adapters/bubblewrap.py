"""The box made of bubblewrap: namespaces of its own for files, processes, network and IPC, and a filter of system calls.

As an ordinary user, and as a root that may not make namespaces by itself, it lies in a user namespace. As root the mounts are root's, so
that an interpreter in /root can be shown, and the job runs as a user id that nobody else has.
"""

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from grader.adapters import guarded, seccomp
from grader.adapters.box import MIB, Job, OnThisMachine, Running
from grader.adapters.guard import CHANNEL
from grader.errors import Unable

ENTRY = Path(__file__).with_name("entry.py")
ETC = Path(__file__).with_name("etc")
"""What the box has as /etc/hosts, passwd, group and nsswitch.conf."""

SHOWN_OF_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "ssl/certs")
SHARED_MEMORY_BYTES = 64 * MIB
THREADS_FOR_A_PROCESS = 4
"""RLIMIT_NPROC counts threads; processes are counted exactly, but only ten times a second."""

WRAPPERS = 2
"""bubblewrap outside, and the first process of the namespace."""

USER = 1000
FREE_USERS = range(61184, 65520)
"""User ids that systemd keeps for services of the moment: no account has one."""


class Bubblewrap(OnThisMachine):
    """Boxes by one `bwrap` program; `as_root` without a user namespace, which needs CAP_SYS_ADMIN."""

    confined = True
    why_not = ""

    def __init__(self, program: Path, *, as_root: bool) -> None:
        self.program = program
        self.as_root = as_root

    def __str__(self) -> str:
        user = "a user id of its own" if self.as_root else "a user namespace"
        return f"{self.program}, {user}"

    def run(self, job: Job) -> Running:
        """Start it. Raises Unable with what bubblewrap said when the box cannot be made."""
        uid = _own(job.workspace) if self.as_root else None
        limits = job.limits
        tasks, ports = limits.processes * THREADS_FOR_A_PROCESS, ",".join(map(str, job.ports))
        entry = [sys.executable, "-I", "-S", "-c", ENTRY.read_text(), CHANNEL, str(uid or "-"), str(tasks), ports]
        with _filter() as descriptor:
            argv = [str(self.program), *self._options(job, descriptor), "--", *entry, *job.argv]
            try:
                return guarded.start(
                    argv,
                    directory=job.workspace,
                    environment={**job.environment, "HOME": "/tmp", "TMPDIR": "/tmp", "USER": "learner"},
                    output=job.output,
                    limits={
                        "RLIMIT_CPU": limits.cpu_seconds,
                        "RLIMIT_DATA": limits.memory_bytes,
                        "RLIMIT_FSIZE": limits.file_bytes,
                        "RLIMIT_CORE": 0,
                    },
                    wall_seconds=limits.wall_seconds,
                    around=guarded.Around(
                        ports=job.ports,
                        most={
                            "processes": limits.processes,
                            "memory_bytes": limits.memory_bytes,
                            "cpu_seconds": limits.cpu_seconds,
                            "file_bytes": limits.file_bytes,
                        },
                        folder=job.workspace,
                        wrappers=WRAPPERS,
                    ),
                    descriptors=[descriptor],
                )
            except Unable as error:
                said = job.output.read_text(errors="replace")[-300:].strip() if job.output.exists() else ""
                raise Unable(f"the box did not start: {said or error}") from error

    def _options(self, job: Job, descriptor: int) -> Iterator[str]:
        yield from ("--die-with-parent", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts")
        yield from ("--unshare-cgroup-try", "--hostname", "lab", "--seccomp", str(descriptor), "--cap-drop", "ALL")
        if self.as_root:
            yield from ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        else:
            yield from ("--unshare-user", "--uid", str(USER), "--gid", str(USER))
        yield from _system()
        yield from ("--proc", "/proc", "--dev", "/dev", *_memory_folder("/dev/shm", SHARED_MEMORY_BYTES))
        # Settings of the kernel below /proc/sys ask a root of the machine for no capability, and one is inside where it cannot be left.
        yield from ("--remount-ro", "/proc")
        yield from ("--remount-ro", "/dev", *_memory_folder("/tmp", job.limits.file_bytes))
        for folder in _interpreter():
            yield from (*_parents(folder), "--ro-bind", str(folder), str(folder))
        yield from (*_parents(job.workspace), "--bind", str(job.workspace), str(job.workspace))
        yield from ("--remount-ro", "/", "--chdir", str(job.workspace))


def _system() -> Iterator[str]:
    """The libraries of the machine, and as much of /etc as programs look for."""
    yield from ("--ro-bind", "/usr", "/usr")
    for name in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        if os.path.islink(name):
            yield from ("--symlink", os.readlink(name), name)
        elif os.path.isdir(name):
            yield from ("--ro-bind", name, name)
    yield from ("--perms", "0755", "--dir", "/etc", "--perms", "0755", "--dir", "/etc/ssl")
    for name in SHOWN_OF_ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    for path in sorted(ETC.iterdir()):
        yield from ("--ro-bind", str(path), f"/etc/{path.name}")


def _interpreter() -> list[Path]:
    """The folders of this interpreter and its packages that lie outside /usr."""
    named = [Path(sys.prefix), Path(sys.base_prefix), Path(os.path.realpath(sys.executable)).parents[1]]
    folders = dict.fromkeys([*named, *(Path(os.path.realpath(one)) for one in named)])
    return [one for one in folders if not one.is_relative_to("/usr")]


def _parents(path: Path) -> Iterator[str]:
    """The folders above one: bubblewrap would make them for root alone."""
    for folder in list(reversed(path.parents))[1:]:
        yield from ("--perms", "0755", "--dir", str(folder))


def _memory_folder(name: str, size: int) -> Sequence[str]:
    return ("--size", str(size), "--perms", "1777", "--tmpfs", name)


def _own(workspace: Path) -> int:
    """Give the workspace to a user of its own; programs that share it have the same. Raises Unable where there are no such users."""
    owner = workspace.stat().st_uid
    uid = owner if owner in FREE_USERS else secrets.choice(FREE_USERS)
    try:
        os.chown(workspace, uid, uid)
        # By descriptors: a program that runs in the workspace already could put a link in the place of a folder.
        for _, folders, files, folder in os.fwalk(workspace):
            for name in (*folders, *files):
                os.chown(name, uid, uid, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        raise Unable(f"the workspace cannot be given to user {uid}: {error.strerror}") from error
    return uid


@contextlib.contextmanager
def _filter() -> Iterator[int]:
    """A descriptor from which the filter of system calls can be read, for as long as the context lasts. Raises Unable."""
    program = seccomp.program()
    if program is None:
        raise Unable(f"the system calls of {os.uname().machine} are not known to the grader")
    descriptor, end = os.pipe()
    try:
        os.write(end, program)
        os.close(end)
        yield descriptor
    finally:
        os.close(descriptor)
