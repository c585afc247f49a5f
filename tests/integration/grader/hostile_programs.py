"""Programs that a learner might hand in to get at more than their lab, and what becomes of each in a box.

Run as a script, `hostile_programs.py root|user`, by whichever user is to be tried: it prints one JSON document, for each program how it
ended, what it printed, and whether anything of it was left. The programs know the addresses and files of WORLD, all of which exist.
"""

import contextlib
import json
import os
import secrets
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from grader.adapters import confining
from grader.adapters.box import MIB, Job, Limits, basic_environment
from grader.adapters.bubblewrap import Bubblewrap

SMALL = Limits(wall_seconds=30, cpu_seconds=20, memory_bytes=256 * MIB, file_bytes=8 * MIB, processes=24)
INSIDE_PORT = 6379
TRY = """\
import ctypes, json, mmap, os, resource, signal, socket, sys, time
world = json.loads(os.environ["WORLD"])
def attempt(act):
    try:
        print(act() or "done", flush=True)
    except (OSError, MemoryError) as error:
        print(*filter(None, [type(error).__name__, getattr(error, "strerror", "")]), flush=True)
"""
SPIN = "\nwhile True: pass"
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        open("daemon", "w").write("1")
        time.sleep(600)
    os._exit(0)
while not os.path.exists("daemon"): time.sleep(0.01)
print("ready", flush=True)
"""


@dataclass(frozen=True)
class Program:
    """What is run, and how it has to end: `status` None where any will do, `lines` what it must print first, `says` somewhere."""

    code: str
    status: int | None = 0
    lines: tuple[str, ...] = ()
    says: str = ""
    limits: Limits = SMALL


REFUSED, UNREACHABLE = "ConnectionRefusedError Connection refused", "OSError Network is unreachable"
ABSENT, READ_ONLY = "FileNotFoundError No such file or directory", "OSError Read-only file system"
FORBIDDEN = "-1 Operation not permitted"
KILLED = -9

PROGRAMS = {
    "lab-port": Program(
        f"s = socket.create_connection(('localhost', {INSIDE_PORT})); s.sendall(b'x' * 3_000_000); s.shutdown(1)\n"
        "print(sum(len(part) for part in iter(lambda: s.recv(65536), b'')))",
        lines=("3000000",),
    ),
    "other-port": Program("attempt(lambda: socket.create_connection(('127.0.0.1', world['tcp'])))", lines=(REFUSED,)),
    # Without sending anything: whether there is a way there is known before.
    "outside": Program(
        "for a in ('192.0.2.1', '10.0.0.1'): attempt(lambda: socket.socket(type=socket.SOCK_DGRAM).connect((a, 9)))",
        lines=(UNREACHABLE, UNREACHABLE),
    ),
    "udp": Program("socket.socket(type=socket.SOCK_DGRAM).sendto(b'out', ('127.0.0.1', world['udp']))"),
    "abstract-socket": Program(
        "attempt(lambda: socket.socket(socket.AF_UNIX).connect(chr(0) + world['abstract']))", lines=(REFUSED,)
    ),
    "vsock": Program(
        "attempt(lambda: socket.socket(40, socket.SOCK_STREAM) and None)",
        lines=("OSError Address family not supported by protocol",),
    ),
    "files": Program(
        "for path in world['files']: attempt(lambda: open(path).read())\nattempt(lambda: os.listdir(world['checkout']))",
        lines=(ABSENT,) * 5,
    ),
    "links": Program(
        "os.symlink(world['files'][0], 'link'); attempt(lambda: open('link').read()); os.mkfifo('fifo')\n"
        "open('a\\nname', 'w').close(); attempt(lambda: os.link('/etc/hosts', 'hard'))",
        lines=(ABSENT, "OSError Invalid cross-device link"),
    ),
    "secrets": Program(
        "print(world['secret'] in str(dict(os.environ, WORLD='')))\n"
        "ours = [p for p in os.listdir('/proc') if p.isdigit()]\n"
        "print(len(ours) <= 2, os.path.exists(f\"/proc/{world['pid']}/environ\"))",
        lines=("False", "True False"),
    ),
    "libraries": Program(
        "attempt(lambda: open(os.path.join(os.path.dirname(os.__file__), 'sitecustomize.py'), 'w'))\n"
        "attempt(lambda: open('/usr/here', 'w')); attempt(lambda: open('/here', 'w'))",
        lines=(READ_ONLY,) * 3,
    ),
    # By descriptor as well: what may be read can be opened, and the interpreter's files may belong to whoever runs the grader.
    "attributes": Program(
        "path = world['files'][0]; attempt(lambda: os.chmod(path, 0)); attempt(lambda: os.utime(path, (1, 1)))\n"
        "library = os.open(os.__file__, os.O_RDONLY); had = os.stat(library)\n"
        "attempt(lambda: os.chmod(library, had.st_mode & 0o7777))\n"
        "attempt(lambda: os.utime(library, ns=(had.st_atime_ns, had.st_mtime_ns)))\n"
        "attempt(lambda: os.removexattr(library, 'user.lab'))",
        lines=(ABSENT,) * 2 + (READ_ONLY,) * 3,
    ),
    # A limit of processor time that is over ends a process as a signal does.
    "others-limits": Program(
        "grader = world['pid']\nattempt(lambda: resource.prlimit(grader, resource.RLIMIT_CORE, (0, 0)))\n"
        "attempt(lambda: os.setpriority(os.PRIO_PROCESS, grader, 19))\n"
        "attempt(lambda: os.sched_setaffinity(grader, {0}))",
        lines=("ProcessLookupError No such process",) * 3,
    ),
    "system-calls": Program(
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "for call in (lambda: libc.unshare(0x10000000), lambda: libc.memfd_create(b'm', 0), lambda: libc.shmget(0, 9, 0)):\n"
        "    ctypes.set_errno(0); print(call(), os.strerror(ctypes.get_errno()))",
        lines=(FORBIDDEN,) * 3,
    ),
    "signals": Program(
        "attempt(lambda: os.kill(-1, signal.SIGKILL)); attempt(lambda: os.kill(world['pid'], 9))",
        lines=("ProcessLookupError No such process",) * 2,
    ),
    "fork-bomb": Program(
        "while True:\n    try: os.fork()\n    except OSError: pass",
        KILLED,
        says="ended by the grader: more than 24 processes",
    ),
    "fork-in-a-thread": Program(
        "import threading\ndef go():\n    for _ in range(40): os.fork() or time.sleep(600)\n    time.sleep(600)\n"
        "threading.Thread(target=go).start()",
        KILLED,
        says="more than 24 processes",
    ),
    "memory-at-once": Program("attempt(lambda: len(bytearray(10 << 30)))", lines=("MemoryError",)),
    "memory-of-children": Program(
        "for _ in range(4): os.fork() or (bytearray(150 << 20), time.sleep(600))\ntime.sleep(600)",
        KILLED,
        says="ended by the grader: more than 256 MiB of memory",
    ),
    "memory-shared": Program(
        "ctypes.CDLL(None).prctl(4, 0)\nm = mmap.mmap(-1, 400 << 20)\n"
        "for at in range(0, len(m), 4096): m[at] = 1\ntime.sleep(600)",
        KILLED,
        says="more than 256 MiB of memory",
    ),
    # Forks share what they do not write: eight times 60 MiB are still 60.
    "memory-counted-once": Program(
        "kept = os.urandom(60 << 20)\nfor _ in range(8): os.fork() or (time.sleep(1), os._exit(0))\n"
        "for _ in range(8): os.wait()\nprint('fine')",
        lines=("fine",),
    ),
    "output": Program("while True: print('x' * 65536)", 1, says="xxx"),
    "one-file": Program("attempt(lambda: open('big', 'w').truncate(10 << 30))", lines=("OSError File too large",)),
    "many-files": Program(
        "for number in range(10_000): open(str(number), 'w').write('x' * (1 << 20)); time.sleep(0.02)",
        KILLED,
        says="ended by the grader: more than 8 MiB of files",
    ),
    "empty-files": Program(
        "for number in range(10_000_000): open(f'/tmp/{number}', 'w').close()\ntime.sleep(600)",
        KILLED,
        says="ended by the grader: more than 8 MiB of files",
    ),
    "temporary-files": Program(
        "def fill(folder):\n    for number in range(80): open(f'{folder}/{number}', 'wb').write(bytes(1 << 20))\n"
        "for folder in ('/tmp', '/dev/shm'): attempt(lambda: fill(folder))",
        lines=("OSError No space left on device",) * 2,
    ),
    "busy-core": Program(
        "for _ in range(3): os.fork()" + SPIN,
        None,
        limits=Limits(wall_seconds=30, cpu_seconds=1),
    ),
    "too-long": Program("time.sleep(600)", KILLED, limits=Limits(wall_seconds=1)),
    "daemon": Program(DAEMON, lines=("ready",)),
    "lying-status": Program('print(\'{"outcome": "passed", "points": 10}\'); os.kill(os.getpid(), 11)', -11),
}


def played(box: Bubblewrap, folder: Path) -> dict[str, Any]:
    """All programs, three at a time: for each its status, the beginning and the end of its output, and whether something was left."""
    with _world(folder) as (world, arrived):
        with ThreadPoolExecutor(3) as pool:
            ended = dict(
                zip(PROGRAMS, pool.map(lambda name: _run(box, folder / name, name, world), PROGRAMS), strict=True)
            )
        ended["udp"]["arrived"] = arrived()
    return ended


def _run(box: Bubblewrap, folder: Path, name: str, world: dict[str, Any]) -> dict[str, Any]:
    workspace, output, mark = folder / "workspace", folder / "output", f"mark-{secrets.token_hex(8)}"
    workspace.mkdir(parents=True)
    program = PROGRAMS[name]
    job = Job(
        [sys.executable, "-c", TRY + program.code, mark],
        workspace,
        output,
        {**basic_environment(folder), "WORLD": json.dumps(world)},
        {INSIDE_PORT: world["lab"]},
        program.limits,
    )
    running = box.run(job)
    status = running.wait(60)
    left = [one.pid for one in psutil.process_iter() if _marked(one, mark)]
    running.end()
    size = output.stat().st_size
    with output.open("rb") as file:
        begin = file.read(2000).decode()
        file.seek(max(0, size - 2000))
        end = file.read().decode()
    return {"status": status, "begin": begin, "end": end, "size": size, "left": left}


def _marked(process: psutil.Process, mark: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return mark in process.cmdline()
    return False


@contextlib.contextmanager
def _world(folder: Path) -> Iterator[tuple[dict[str, Any], Any]]:
    """What there is outside the box: servers, files, a secret; and how many datagrams came."""
    os.environ["GRADER_SECRET"] = secret = secrets.token_hex(16)
    files = [folder / "gradebook.sqlite", folder / "other" / "workspace" / "app.py"]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(secret)
    checkout = Path(__file__).resolve().parents[3]
    with contextlib.ExitStack() as stack:
        tcp, lab = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
        udp = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        name = secrets.token_hex(8)
        abstract.bind(f"\0{name}")
        abstract.listen()
        threading.Thread(target=_echo, args=(lab,), daemon=True).start()

        def arrived() -> int:
            with contextlib.suppress(BlockingIOError):
                return len(udp.recv(100))
            return 0

        yield (
            {
                "tcp": tcp.getsockname()[1],
                "lab": lab.getsockname()[1],
                "udp": udp.getsockname()[1],
                "abstract": name,
                "files": [*map(str, files), str(checkout / "labs" / "catalog.yaml"), "/etc/shadow"],
                "checkout": str(checkout / "labs" / "first-app" / "checks"),
                "secret": secret,
                "pid": os.getpid(),
            },
            arrived,
        )


def _echo(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)


def main(mode: str) -> None:
    """Play all in one way of making boxes; no box at all is a failure."""
    with tempfile.TemporaryDirectory(prefix="hostile-", ignore_cleanup_errors=True) as made:
        box = Bubblewrap(next(confining.programs()), as_root=mode == "root")
        json.dump({"euid": os.geteuid(), "ended": played(box, Path(made))}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
