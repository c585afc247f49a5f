"""Runs one program and ends everything that it started, when the program ends, when it is told to, or when whoever started it dies.

Started by guarded.py as a process of its own, on the standard library alone. Its standard input is a pipe that nobody writes to: its end
means that the starter wants the program gone, or is gone itself, by whatever signal. The kernel gives the guard every orphan below it
(PR_SET_CHILD_SUBREAPER), so that a daemon that forked twice is found as well. It ends as the program did, by status or signal.
Its first line on standard output is the program's pid, or an empty one when the program's box could not be made.

Round a box it also relays the lab's ports (relay.py), and ends what uses more than it may (usage.py).
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from grader.adapters.usage import LOOK_SECONDS, Usage, descendants

if TYPE_CHECKING:
    from grader.adapters.relay import Relay

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

CONTROL = 0
"""The descriptor whose end means the end."""

CHANNEL = "{channel}"
"""The argument of a box that stands for the descriptor of the relay's end inside."""


def main(order: dict[str, Any]) -> int:
    """The wait status of the program.

    `order` has argv, output (a path), limits (resource name -> number), wall_seconds (or null) and box: null, or what is round the
    program: ports ([inside, outside] pairs), most (see Usage), folder and wrappers (how many of its processes are the box's own).
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # A terminal's interruption goes to the whole group; the starter decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    guard, box = os.getpid(), order["box"]
    relay = usage = None
    if box is not None:
        # Imported late: servers of the grading have no box, and start sooner without.
        from grader.adapters.relay import Relay

        relay, usage = Relay(dict(box["ports"])), Usage(box["most"], box["folder"], box["wrappers"])
        order["argv"] = [str(relay.inside_end.fileno()) if word == CHANNEL else word for word in order["argv"]]
    child = os.fork()
    if child == 0:
        _become(order, guard)
    pid = child if relay is None else relay.begin()
    print(pid or "", flush=True)  # noqa: T201 read by the starter
    status = None if pid is None else _followed(child, woken, order, relay, usage)
    last = _end_all(child)
    return _unwrapped(last if status is None else status, box is not None)


def _followed(child: int, woken: int, order: dict[str, Any], relay: "Relay | None", usage: Usage | None) -> int | None:
    """The program's wait status when it ends by itself; None when it has to be ended."""
    ends = None if order["wall_seconds"] is None else time.monotonic() + order["wall_seconds"]
    look = None if usage is None else time.monotonic() + LOOK_SECONDS
    sources: list[Any] = [CONTROL, woken, *([] if relay is None else [relay])]
    while True:
        due = min((one for one in (ends, look) if one is not None), default=None)
        readable, _, _ = select.select(sources, [], [], None if due is None else max(0.0, due - time.monotonic()))
        if relay is not None and relay in readable:
            relay.serve()
        if woken in readable:
            os.read(woken, 4096)
            status = _reaped(child)
            if status is not None:
                return status
        now = time.monotonic()
        if CONTROL in readable or (ends is not None and now >= ends):
            return None
        if usage is not None and look is not None and now >= look:
            look = now + LOOK_SECONDS
            excess = usage.excess(descendants(os.getpid()))
            if excess:
                _say(order["output"], f"ended by the grader: {excess}")
                return None


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
        for pid in descendants(os.getpid()):
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


def _say(output: str, what: str) -> None:
    """Tell who reads the program's output why it ended."""
    descriptor = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    os.write(descriptor, f"\n{what}\n".encode())
    os.close(descriptor)


def _unwrapped(status: int, boxed: bool) -> int:
    """The program's own wait status; a box says 128 + N of a program that signal N ended."""
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
    return code - 128 if boxed and 128 < code < 128 + signal.NSIG else status


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _end_as(status: int) -> None:
    """End this process as the program ended."""
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL) if os.WTERMSIG(status) != signal.SIGKILL else None
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)


def run() -> None:
    """Do as the last argument says, and end as the program does."""
    _end_as(main(json.loads(sys.argv[-1])))
