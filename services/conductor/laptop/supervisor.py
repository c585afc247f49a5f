"""The supervisor (supervisord): started detached from the terminal, spoken to over loopback HTTP with a password.

HTTP and not a unix socket: a socket's path may not be longer than 107 bytes, a checkout's may. It restarts what dies;
what must run is told by files in .run/programs/ (see programs.py).
"""

import contextlib
import http.client
import os
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.parsers.expat import ExpatError

from conductor.errors import NotRunning, StartFailed
from conductor.laptop import programs
from conductor.laptop.orphans import MARKER
from conductor.laptop.programs import Program
from conductor.laptop.state import State, write_private
from conductor.run_directory import RunDirectory
from conductor.waiting import until

CONFIGURATION = """\
[supervisord]
logfile = logs/supervisord.log
logfile_maxbytes = 10000000
logfile_backups = 1
pidfile = supervisord.pid
nodaemon = true
silent = true
umask = 077

[inet_http_server]
port = 127.0.0.1:{port}
username = capstone
password = {password}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[include]
files = programs/*.conf
"""

BAD_NAME, ALREADY_STARTED, NOT_RUNNING, ALREADY_ADDED = 10, 60, 70, 90
"""Its fault codes for what is already as we want it (supervisor.xmlrpc.Faults)."""

FOREIGN = (xmlrpc.client.ProtocolError, xmlrpc.client.ResponseError, http.client.HTTPException, ExpatError)
"""What a call fails with when something else answers at the port, such as another platform's supervisor, which refuses our password."""

DEAD_STATES = ("STOPPED", "EXITED", "FATAL")


@dataclass(frozen=True, slots=True)
class Process:
    """A supervised process as the supervisor sees it; `pid` is 0 when it does not run, `since` unix seconds."""

    name: str
    state: str
    pid: int
    since: int
    exit_status: int
    description: str


class Supervisor:
    """The one of a run directory, whether it runs or not."""

    def __init__(self, run: RunDirectory, state: State) -> None:
        self._run = run
        self._state = state

    def start(self, environment: dict[str, str], *, within_seconds: float = 15) -> int:
        """Start it in a session of its own and wait until it answers; its pid."""
        port = self._state.ports["supervisor"]
        configuration = CONFIGURATION.format(port=port, password=self._state.passwords.supervisor)
        write_private(self._run.path / "supervisord.conf", configuration)
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(self._run.path / "supervisord.conf")],
            cwd=self._run.path,
            env={**environment, **programs.launcher_environment(), MARKER: self._state.run_id},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self._run.logs / "supervisord.err").open("w"),
            start_new_session=True,
            umask=0o077,
        )
        until(lambda: self.answers() or process.poll() is not None, within_seconds=within_seconds)
        if not self.answers():
            raise StartFailed(f"the supervisor did not start: {(self._run.logs / 'supervisord.err').read_text()}")
        return process.pid

    def answers(self) -> bool:
        """Whether it runs."""
        try:
            return bool(self._proxy().supervisor.getState())
        except (OSError, xmlrpc.client.Error, *FOREIGN):
            return False

    def add(self, *wanted: Program) -> None:
        """Make it know these programs and start each; returns before they are up."""
        for program in wanted:
            programs.write(program, self._run)
        with self._speaking() as server:
            server.reloadConfig()
            for program in wanted:
                with _ignoring(ALREADY_ADDED):
                    server.addProcessGroup(program.name)
                with _ignoring(ALREADY_STARTED):
                    server.startProcess(program.name, False)

    def remove(self, name: str) -> None:
        """Forget a program that was stopped."""
        programs.forget(name, self._run)
        with self._speaking() as server, _ignoring(BAD_NAME):
            server.removeProcessGroup(name)

    def begin_stop(self, name: str) -> None:
        """Send its stop signal; SIGKILL follows after its stop_seconds. Returns at once."""
        with self._speaking() as server, _ignoring(NOT_RUNNING):
            server.stopProcess(name, False)

    def start_again(self, name: str) -> None:
        """Start a program that is known and not running."""
        with self._speaking() as server, _ignoring(ALREADY_STARTED):
            server.startProcess(name, False)

    def processes(self) -> list[Process]:
        """Every program it knows, running or not."""
        with self._speaking() as server:
            return [_process(info) for info in server.getAllProcessInfo()]

    def process(self, name: str) -> Process:
        """One of them; NotRunning when it is not known."""
        found = next((process for process in self.processes() if process.name == name), None)
        if found is None:
            raise NotRunning(f'no process is named "{name}"')
        return found

    def wait_stopped(self, *names: str, within_seconds: float) -> bool:
        """Whether all of them ended in time."""

        def ended() -> bool:
            return all(process.state in DEAD_STATES for process in self.processes() if process.name in names)

        return until(ended, within_seconds=within_seconds)

    def shutdown(self) -> None:
        """Tell it to end whatever still runs and itself; returns at once."""
        with self._speaking() as server:
            server.shutdown()

    def _proxy(self) -> Any:
        password = self._state.passwords.supervisor
        return xmlrpc.client.ServerProxy(f"http://capstone:{password}@127.0.0.1:{self._state.ports['supervisor']}/RPC2")

    @contextlib.contextmanager
    def _speaking(self) -> Iterator[Any]:
        try:
            yield self._proxy().supervisor
        except OSError as error:
            raise NotRunning(f"the supervisor does not answer ({error}): `make up` starts it") from error
        except FOREIGN as error:
            # The error itself is not told: it holds our password.
            port = self._state.ports["supervisor"]
            raise NotRunning(
                f"the supervisor does not run, and another program has its port {port}: `make up` starts it at another"
            ) from error


@contextlib.contextmanager
def _ignoring(*codes: int) -> Iterator[None]:
    try:
        yield
    except xmlrpc.client.Fault as fault:
        if fault.faultCode not in codes:
            raise


def _process(info: dict[str, Any]) -> Process:
    return Process(
        name=info["name"],
        state=info["statename"],
        pid=info["pid"],
        since=info["start"],
        exit_status=info["exitstatus"],
        description=info["spawnerr"] or info["description"],
    )


def inherited() -> dict[str, str]:
    """The little that processes keep of the caller's environment: a service's settings are given, never inherited."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "COVERAGE_PROCESS_START")
    return {name: os.environ[name] for name in kept if name in os.environ}
