"""A whole capstone on a platform of its own, with the learner's code in some of its pools, and drills that are played on it.

The platform is the one of the capstone's own drills, and belongs to one grading. Database, broker and outside world are started from this
checkout; the learner's files take the place of one package, in the pools that are rolled to them.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from conductor.errors import ConductorError
from conductor.run_directory import CHECKOUT, RunDirectory
from grader import measuring
from grader.domain.verdict import Finding
from grader.errors import TooBusy, Unable
from grader.session import Session, failed

if TYPE_CHECKING:
    from conductor.harness.drill import Drill
    from conductor.harness.runner import Played
    from conductor.laptop.runtime import LocalRuntime

CAPSTONE = "orders"
"""The system that there are labs on."""

PLATFORMS = CHECKOUT / ".run" / "labs"

REQUESTS = 40
"""A race is judged at the smallest size at which it shows."""

READY_SECONDS = 180.0
"""A drill keeps both cores of a small machine busy by itself: only one far slower than that (measuring.HIDES) is to blame."""

SAID_CHARACTERS = 1500


def rolled(session: Session, package: str, pools: Sequence[str]) -> Finding | None:
    """Roll pools to the learner's files, which are that package; once a grading. Returns a finding when they do not become ready."""
    done: dict[str, Finding | None] = session.kept.setdefault("rolled", {})
    for pool in pools:
        if pool not in done:
            done[pool] = _rolled(session, package, pool)
        if (finding := done[pool]) is not None:
            return finding
    return None


def played(session: Session, drill: "Drill", requests: int = REQUESTS) -> "Played":
    """What came of a drill; it is played once a grading, whatever looks at it. Raises TooBusy where the machine may be to blame."""
    from rich.console import Console

    from conductor import capstones
    from conductor.capstone import Patience, Size
    from conductor.harness import runner
    from conductor.harness.reporter import Reporter

    every: dict[str, Played] = session.kept.setdefault("played", {})
    if drill.name in every:
        return every[drill.name]
    runtime, began = _platform(session), time.monotonic()
    patience = Patience(total_seconds=max(30.0, session.left() - 30.0), quiet_seconds=15, hanging_seconds=10)
    with (session.scratch / f"{drill.name}.txt").open("w") as file:
        runtime.wait_ready(READY_SECONDS)
        with Reporter(Console(file=file, highlight=False, width=160)) as reporter:
            journal = session.scratch / f"{drill.name}.jsonl"
            found = runner.play(
                drill, capstones.named(CAPSTONE), runtime, Size(requests, session.seed), reporter, journal, patience
            )
    if found.failure and measuring.slowest(began) >= measuring.HIDES:
        raise TooBusy(f"the drill {drill.name}: {found.failure}")
    every[drill.name] = found
    return found


def named(drill: str) -> "Drill":
    """A drill of the capstone's. Raises Unable."""
    from conductor.commands.drill import known

    every = known(CAPSTONE)
    if drill not in every:
        raise Unable(f'no drill is named "{drill}"; there are {", ".join(every)}')
    return every[drill]


def _rolled(session: Session, package: str, pool: str) -> Finding | None:
    from conductor.runtime import Change

    code = session.scratch / "code"
    there = code / "services" / package
    if not (session.workspace / "__init__.py").is_file():
        # Python would take the package of this checkout instead, which is whole.
        return failed("missing", f"the files of {package} are not there: __init__.py is missing")
    if not there.exists():
        shutil.copytree(session.workspace, there)
    runtime = _platform(session)
    began = time.monotonic()
    try:
        runtime.roll(pool, Change(code=code))
    except ConductorError as error:
        if measuring.slowest(began) >= measuring.HIDES:
            raise TooBusy(f"{pool} with your code: {error}") from error
        return failed(
            "does-not-start", f"{pool} does not become ready with your code: {error}", said=_last_said(runtime, pool)
        )
    return None


class _Platform:
    """The platform of one grading."""

    def __init__(self, session: Session) -> None:
        from rich.console import Console

        from conductor import capstones
        from conductor.commands.drill import known
        from conductor.harness import runner
        from conductor.harness.drill import wanted_together
        from conductor.harness.reporter import Reporter

        _end_left_ones()
        settings, pools = wanted_together(known(CAPSTONE).values())
        directory = PLATFORMS / f"{session.lab.name}-{os.getpid()}-{session.scratch.name[-6:]}"
        self._ends = contextlib.ExitStack()
        self._ends.callback(shutil.rmtree, directory, ignore_errors=True)
        file = self._ends.enter_context((session.scratch / "platform.txt").open("w"))
        reporter = Reporter(Console(file=file, highlight=False, width=160))
        opened = runner.own_platform(
            directory, capstones.named(CAPSTONE), "valkey", reporter, settings=settings, pools=pools
        )
        try:
            self.runtime = self._ends.enter_context(opened)
        except ConductorError as error:
            self._ends.close()
            raise Unable(f"the platform of {CAPSTONE}: {error}") from error

    def end(self) -> None:
        """Take it down, and remove its directory."""
        self._ends.close()


def _platform(session: Session) -> "LocalRuntime":
    if "platform" not in session.kept:
        session.kept["platform"] = session.made(lambda: _Platform(session))
    platform: _Platform = session.kept["platform"]
    return platform.runtime


def _end_left_ones() -> None:
    """Take down the platforms of graders that were killed."""
    from conductor.laptop import lifecycle

    for directory in PLATFORMS.glob("*-*-*") if PLATFORMS.exists() else ():
        if not psutil.pid_exists(int(directory.name.rsplit("-", 2)[1])):
            lifecycle.down(RunDirectory(directory))
            shutil.rmtree(directory, ignore_errors=True)


def _last_said(runtime: "LocalRuntime", pool: str) -> str:
    logs: Path = runtime.platform.run.logs
    files = sorted(logs.glob(f"*{pool}*"), key=lambda path: path.stat().st_mtime)
    return files[-1].read_text(errors="replace")[-SAID_CHARACTERS:] if files else ""
