"""Runs a command line as a child, and replaces it when the content of its code changes.

A worker, relay or beat is asked to end as a rollout asks it (SIGTERM: it finishes or hands back what it has), then started anew. An API is
started beside the old one on the same listening socket; the old one ends once the new one serves, so no request is refused. Code that
cannot be compiled ends nothing, and an API that does not come up replaces nothing. Any other program that a change broke waits for the
next change. Probes find a pod alive and not ready while its program is away.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from reloader.code import Contents, Folder, bring, differing
from reloader.probes import answering, hold, listening

PAUSE_SECONDS = 0.25
"""Between two looks at the code. A change counts once a look finds nothing touched since the look before: several files are one change."""

START_SECONDS = 120.0
"""A new API that does not serve within this time is given up. Any other program is then left to the probes."""

LINGER_SECONDS = 1.0
"""How long an old API lets its clients go with their answers before it closes the connections that they keep."""

MINE = ("RELOAD_FROM", "RELOAD_INTO")
SERVER = "chassis.serve"
READY = ("idle", "busy", "serving", "standby")
"""States of a heartbeat in which a process does its work."""


def begin() -> None:
    """Take this process over for good, unless one of this pod has been taken over: what `kubectl exec` starts runs as ever."""
    source, code = (Path(os.environ[name]) for name in MINE)
    bring(source, code)
    held = os.open(f"{code}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return
    _leave(Supervisor(source, code).run())


def _leave(status: int) -> NoReturn:
    sys.stderr.flush()
    os._exit(status)


class Program:
    """One run of the command line, and the code that it began with. It leads a process group, which ends with it."""

    def __init__(self, code: Path, contents: Contents, listener: socket.socket | None) -> None:
        self.contents = contents
        self.began = time.monotonic()
        self._status: int | None = None
        environment = {name: value for name, value in os.environ.items() if name not in MINE}
        # A module that was deleted must not be found where it was copied from.
        path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(part for part in path if part != os.environ["RELOAD_FROM"])
        environment["SHARE_PORT"] = "true"
        handed: tuple[int, ...] = ()
        if listener is not None:
            handed = (listener.fileno(),)
            environment["LISTEN_FD"] = str(listener.fileno())
        # Where it stands comes first on the path of `python -m`.
        self._process = subprocess.Popen(
            sys.orig_argv, env=environment, cwd=code, pass_fds=handed, start_new_session=True
        )

    def status(self) -> int | None:
        """How it ended, as a shell says it; None while it runs."""
        if self._status is None and (status := self._process.poll()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # children that outlived it, as a container would end them
            self._status = status if status >= 0 else 128 - status
        return self._status

    def tell(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def serves(self, heartbeat: Path) -> bool:
        """Whether its heartbeat says so; two programs may write the file by turns."""
        try:
            record: dict[str, Any] = json.loads(heartbeat.read_text())
        except (OSError, ValueError):
            return False
        return record.get("pid") == self._process.pid and record.get("state") in READY


class Supervisor:
    """Runs until the program ends by itself, or until it is told to end."""

    def __init__(self, source: Path, code: Path) -> None:
        self._code = code
        self._folder = Folder(code)
        self._changed = Folder(source).contents != self._folder.contents
        self._heartbeat = Path(os.environ.get("HEARTBEAT_FILE", ""))
        self._listener = _listener()
        self._running: list[Program] = []
        self._told = False
        self._found: float | None = None
        """When the change was found that the program starts with; None once it was told that it serves."""
        self._answers = contextlib.ExitStack()
        """Closed when nothing answers probes in place of the program."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._hand_on)

    def run(self) -> int:
        """The exit code of the last program."""
        program = self._start()
        judged = program.contents
        while True:
            status = program.status()
            if status is not None:
                self._running.remove(program)
                if self._told or not status or not self._changed:
                    return status
                _say(f"the program ended with {status}: it is started again when the code changes")
                self._answer()
                if not self._wait_broken(program.contents):
                    return status
                self._found = time.monotonic()
                hold(self._heartbeat, START_SECONDS)
                program = self._start()
                judged = program.contents
                continue
            time.sleep(PAUSE_SECONDS)
            self._report(program)
            if self._told or self._folder.look() or self._folder.contents == judged:
                continue
            judged = self._folder.contents
            program = self._replaced(program)

    def _replaced(self, program: Program) -> Program:
        """The program that runs from now on: a new one, or the same where the change cannot run or makes no difference to it."""
        names = differing(program.contents, self._folder.contents)
        if not names:
            _say("the code is again what runs: nothing is started")
            return program
        wrong = self._folder.broken(name for name in names if name.endswith(".py"))
        if wrong:
            _say(f"{'; '.join(wrong)}: the program goes on with the code that it has")
            return program
        self._changed = True
        self._found = time.monotonic()
        _say(f"{', '.join(names)} changed")
        return self._again(program) if self._listener is None else self._beside(program)

    def _report(self, program: Program) -> None:
        """Say once that the code of a change does its work."""
        if self._found is not None and program.began > self._found and program.serves(self._heartbeat):
            _say(f"the new code serves, {time.monotonic() - self._found:.1f} s after the change was found")
            self._found = None
            self._answers.close()
        elif time.monotonic() - program.began > START_SECONDS:
            self._answers.close()

    def _again(self, program: Program) -> Program:
        """End it in order, then start it anew, unless all is told to end."""
        program.tell(signal.SIGTERM)
        self._wait(lambda: program.status() is not None)
        if self._told:
            return program
        self._running.remove(program)
        self._answer()
        return self._start()

    def _answer(self) -> None:
        """Answer probes in place of the program, from now on."""
        self._answers.close()
        hold(self._heartbeat, START_SECONDS)
        host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("METRICS_PORT", "0"))
        sockets = [] if self._listener is None else [self._listener]
        if port:
            sockets.append(self._answers.enter_context(listening(host, port, shared=True)))
        self._answers.enter_context(answering(sockets))

    def _beside(self, old: Program) -> Program:
        """Start a new one beside the old one, and end the old one once the new one serves."""
        new = self._start()
        limit = time.monotonic() + START_SECONDS
        self._wait(lambda: new.status() is not None or new.serves(self._heartbeat) or time.monotonic() > limit)
        if self._told:
            self._wait(lambda: old.status() is not None)
            self._running.remove(old)
            return new
        if new.status() is not None or not new.serves(self._heartbeat):
            _say(f"the new code does not serve ({_end(new)}): the program goes on with the code that it has")
            new.tell(signal.SIGKILL)
            self._wait(lambda: new.status() is not None)
            self._running.remove(new)
            return old
        old.tell(signal.SIGTERM)
        limit = time.monotonic() + LINGER_SECONDS
        self._wait(lambda: old.status() is not None or time.monotonic() > limit)
        old.tell(signal.SIGTERM)  # a second one ends what it does for clients that may still come
        self._wait(lambda: old.status() is not None)
        self._running.remove(old)
        return new

    def _start(self) -> Program:
        program = Program(self._code, self._folder.contents, self._listener)
        self._running.append(program)
        if self._told:
            program.tell(signal.SIGTERM)
        return program

    def _wait_broken(self, before: Contents) -> bool:
        """Wait until the code is no longer this; False when told to end."""
        while not self._told and (self._folder.look() or self._folder.contents == before):
            time.sleep(PAUSE_SECONDS)
        return not self._told

    def _wait(self, done: Callable[[], bool]) -> None:
        while not done():
            time.sleep(0.05)

    def _hand_on(self, number: int, frame: FrameType | None) -> None:
        self._told = True
        for program in self._running:
            program.tell(number)


def _end(program: Program) -> str:
    status = program.status()
    return f"not within {START_SECONDS:g} s" if status is None else f"it ended with {status}"


def _listener() -> socket.socket | None:
    """The API's listening socket, which outlives each of its processes; None where the program is none."""
    if SERVER not in sys.orig_argv or not os.environ.get("HEARTBEAT_FILE"):
        return None
    return listening(os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000")))


def _say(text: str) -> None:
    sys.stderr.write(f"reload: {text}\n")
    sys.stderr.flush()
