"""Where learner code runs: the seam between the grader and whatever confines a process on this machine.

A Box starts one job and gives back a Running. Whatever the box is made of, all that a job started ends with `end()`, when its wall
clock is over, and when the grader is killed.
"""

import os
import platform
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from grader.adapters import guarded
from grader.domain.lab import Lab

PORT_MAP = Path(__file__).parent / "port_map"

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use. A box that cannot hold one of them lets it pass: `memory_bytes` and `processes` count the whole job."""

    wall_seconds: float = 120
    cpu_seconds: int = 120
    memory_bytes: int = 512 * MIB
    file_bytes: int = 256 * MIB
    processes: int = 64


@dataclass(frozen=True, slots=True)
class Job:
    """A program to run on learner code.

    `workspace` is the working directory, by the same path inside and outside, and the only folder but a private /tmp that the job may
    write. A box with a /tmp of its own may set HOME and TMPDIR of the environment to it. `ports` leads from a port of localhost as the
    job sees it to the one that the grader's server listens on; no other address is for the job. `output` is a file outside the workspace
    that takes standard output and error.
    """

    argv: Sequence[str]
    workspace: Path
    output: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[int, int] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


class Running(Protocol):
    """A job that was started. Pids are those of the machine, not of a namespace."""

    output: Path

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, seconds: float) -> int | None: ...
    def signal(self, number: signal.Signals) -> None: ...
    def processes(self) -> list[int]: ...
    def end(self) -> None: ...


class Box(Protocol):
    """`confined` says whether learner code is kept from everything but its job; `why_not` says in a few words why it is not."""

    confined: bool
    why_not: str

    def run(self, job: Job) -> Running:
        """Start the job; raises Unable when it cannot be started at all."""

    def versions(self) -> dict[str, str]:
        """Of Python and Celery, as jobs have them."""

    def check(self) -> None:
        """Raise Unable when what a check saw may be the box's fault."""

    def end(self) -> None:
        """The grading is over, and all of its jobs have ended."""


class OnThisMachine:
    """What boxes have in common that run jobs by this interpreter, and keep nothing between two of them."""

    def versions(self) -> dict[str, str]:
        """This interpreter's."""
        return {"python": platform.python_version(), "celery": version("celery")}

    def check(self) -> None:
        """Nothing breaks that its jobs would not notice."""

    def end(self) -> None:
        """Nothing is left to end."""


class Unconfined(OnThisMachine):
    """Process group, rlimits and a wall clock. The job sees the whole machine, so that a result is for practice alone."""

    confined = False

    def __init__(self, why_not: str = "no box is installed") -> None:
        self.why_not = why_not

    def run(self, job: Job) -> Running:
        """Start it. The limits of memory and CPU are each process's own here, and there is none on their number."""
        limits = {
            "RLIMIT_CPU": job.limits.cpu_seconds,
            "RLIMIT_DATA": job.limits.memory_bytes,
            "RLIMIT_FSIZE": job.limits.file_bytes,
            "RLIMIT_CORE": 0,
        }
        return guarded.start(
            job.argv,
            directory=job.workspace,
            environment={**job.environment, **_mapped(job)},
            output=job.output,
            limits=limits,
            wall_seconds=job.limits.wall_seconds,
        )


def around(lab: Lab, box: Box) -> Box:
    """The box, or none for a lab on a whole system: its pools are started as those of `capstone up`."""
    return Unconfined("a whole system runs outside the box") if lab.whole_system else box


def sentence(box: Box) -> str:
    """What a learner is told of the box; nothing when it confines."""
    if box.confined:
        return ""
    return f"learner code is not confined here ({box.why_not}): practice only, it cannot count for an exam or a certificate"


def basic_environment(home: Path) -> dict[str, str]:
    """What every job gets: the interpreter's programs on the path, a home of its own, no bytecode beside the learner's files."""
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        # A root user is told at every start not to be one.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _mapped(job: Job) -> dict[str, str]:
    pairs = ",".join(f"{inside}:{outside}" for inside, outside in job.ports.items())
    path = [str(PORT_MAP), *filter(None, [job.environment.get("PYTHONPATH", "")])]
    return {"CAPSTONE_LAB_PORTS": pairs, "PYTHONPATH": os.pathsep.join(path)}
