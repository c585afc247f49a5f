"""Runs one program and ends everything that it started, when the program ends, when it is told to, or when whoever started it dies.

Started as `python -I -S guard.py JSON`, on the standard library alone. Its standard input is a pipe that nobody writes to: its end
means that the starter wants the program gone, or is gone itself, by whatever signal. The kernel gives the guard every orphan below it
(PR_SET_CHILD_SUBREAPER), so that a daemon that forked twice is found as well. It ends as the program did, by status or signal.
Its first line on standard output is the program's pid.
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

CONTROL = 0
"""The descriptor whose end means the end."""


def main(order: dict[str, Any]) -> int:
    """The wait status of the program. `order` has argv, output (a path), limits (resource name -> number) and wall_seconds (or null)."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # A terminal's interruption goes to the whole group; the starter decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        _become(order, guard)
    print(child, flush=True)  # noqa: T201 read by the starter
    ends = None if order["wall_seconds"] is None else time.monotonic() + order["wall_seconds"]
    status = None
    while status is None:
        left = None if ends is None else max(0.0, ends - time.monotonic())
        readable, _, _ = select.select([CONTROL, woken], [], [], left)
        if woken in readable:
            os.read(woken, 4096)
        status = _reaped(child)
        if status is None and (CONTROL in readable or (ends is not None and time.monotonic() >= ends)):
            break
    last = _end_all(child)
    return status if status is not None else last


def _become(order: dict[str, Any], guard: int) -> None:
    """Turn into the program, with its limits, in a session of its own."""
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(1)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for name, most in order["limits"].items():
            _, hard = resource.getrlimit(getattr(resource, name))
            allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(getattr(resource, name), (allowed, allowed))
        os.execvpe(order["argv"][0], order["argv"], os.environ)
    except OSError as error:
        os.write(2, f"{order['argv'][0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _reaped(child: int) -> int | None:
    """Collect what has ended; the program's wait status when it is among it."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == child:
            return status


def _end_all(child: int) -> int:
    """Kill all descendants until there are none; the program's wait status when it ended here, else that of SIGKILL."""
    last = int(signal.SIGKILL)
    while True:
        for pid in _descendants(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return last
        if pid == child:
            last = status
        if pid == 0:
            time.sleep(0.002)


def _descendants(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            children = [int(word) for word in file.read().split()]
    except OSError:
        return []
    return [one for child in children for one in (child, *_descendants(child))]


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _end_as(status: int) -> None:
    """End this process as the program ended."""
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL) if os.WTERMSIG(status) != signal.SIGKILL else None
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)


if __name__ == "__main__":
    _end_as(main(json.loads(sys.argv[1])))
