"""Programs that cannot outlive the grader: each runs below a guard (guard.py) of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from conductor.waiting import until
from grader import measuring
from grader.errors import Unable

GUARD = "import sys; sys.path.insert(0, sys.argv[1]); from grader.adapters.guard import run; run()"
"""The guard's program: the standard library and the grader's own folder, because a guard starts in no time without the rest."""

SERVICES = Path(__file__).parents[2]
GONE_SECONDS = 10
"""How long a guard may take to kill what it guards."""


@dataclass(frozen=True, slots=True)
class Around:
    """What is round a program in a box, for the guard to look after.

    `ports` leads from a port inside to one of the grader's; `most` are the limits that Usage counts, `folder` is where the job's files
    lie; so many as `wrappers` processes, one below the other, are the box's own.
    """

    ports: Mapping[int, int]
    most: Mapping[str, int]
    folder: Path
    wrappers: int


class Guarded:
    """A program that was started; all of it ends with `end()`, and with the grader. Raises Unable when it did not start."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: Path, wrappers: int = 0) -> None:
        self._process = process
        self._wrappers = wrappers
        self.output = output
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.isdigit():
            self.end()
            raise Unable("the program did not start")
        self.pid = int(line)

    def poll(self) -> int | None:
        """The exit status of the program, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """The exit status, as soon as it has ended; None when it still runs after so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program itself; nothing happens when it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def processes(self) -> list[int]:
        """The pids of the program and of everything below it."""
        with contextlib.suppress(psutil.Error, IndexError):
            top = psutil.Process(self._process.pid)
            for _ in range(self._wrappers):
                top = top.children()[0]
            return [one.pid for one in top.children(recursive=True)]
        return []

    def end(self) -> None:
        """Kill all that it started, and return when it is gone. Raises Unable when it does not go."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        if self.wait(GONE_SECONDS) is None:
            raise Unable(f"process {self._process.pid} could not be ended")


def start(
    argv: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    output: Path,
    limits: Mapping[str, int] | None = None,
    wall_seconds: float | None = None,
    around: Around | None = None,
    descriptors: Sequence[int] = (),
) -> Guarded:
    """Run a program below a guard; `limits` go by the names of the module `resource`. What it prints is appended to `output`.

    The program of a box is told by the argument CHANNEL of guard.py where to send its sockets, and inherits `descriptors`.
    """
    order = {
        "argv": list(argv),
        "output": str(output),
        "limits": dict(limits or {}),
        "wall_seconds": wall_seconds,
        "box": None if around is None else _order(around),
    }
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", GUARD, str(SERVICES), json.dumps(order)],
        cwd=directory,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=descriptors,
    )
    return Guarded(process, output, 0 if around is None else around.wrappers)


def _order(around: Around) -> dict[str, Any]:
    return {
        "ports": list(around.ports.items()),
        "most": dict(around.most),
        "folder": str(around.folder),
        "wrappers": around.wrappers,
    }


def await_answer(
    what: str, programs: Sequence[Guarded], answers: Callable[[], bool], *, within_seconds: float, every_seconds: float
) -> None:
    """Return when a server answers. Raises Unable when one of its programs has ended, and TooBusy or Unable when the time is over.

    All of them are gone then.
    """

    def alive() -> bool:
        return all(program.poll() is None for program in programs)

    ended = until(lambda: not alive() or answers(), within_seconds=within_seconds, every_seconds=every_seconds)
    if ended and alive():
        return
    for program in reversed(programs):
        program.end()
    if not ended:
        measuring.tell()
    raise Unable(f"{what} did not start: {programs[-1].output.read_text(errors='replace')[-500:]}")
