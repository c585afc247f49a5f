"""A pytest session that runs its tests once as they are, and then, for every mutant, those that reach the changed line.

Each mutant lives in a fork of the session, so servers and imports are paid for once. A test that fails, hangs or dies there has killed it.
"""

import contextlib
import gc
import inspect
import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import coverage
import psutil
import pytest
from _pytest.runner import runtestprotocol
from patching import apply

from mutants import Mutant

# What a mutant may cost: tests beyond it would say no more than those before.
TEST_SECONDS = 60.0
HANG_SECONDS = 90.0
MARK = "CAPSTONES_MUTANT"


class Anchor:
    """The next test, so far as tearing down is concerned: one that keeps the session's fixtures and no others."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[Any]:
        return [self._session]


class MutationSession:
    """The pytest plugin; `results` has the verdict on each mutant."""

    def __init__(self, mutants: Sequence[Mutant], budget_seconds: float, in_processes: Mapping[str, str]) -> None:
        """`in_processes`: by module, a part of the name of tests that run in other processes what no test runs in this one."""
        self._mutants = mutants
        self._in_processes = in_processes
        self._budget_seconds = budget_seconds
        self.results: dict[Mutant, str] = {}
        self.broken: list[str] = []
        self.spoilt: list[str] = []
        # What killed the last mutants is likely to kill the next one of the same function.
        self._killers: dict[str, int] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what restarts a server: in a fork, that would be the end of it for all."""
        items[:] = [item for item in items if not _restarts(item)]

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        lines, seconds = self._baseline(session)
        until = time.monotonic() + self._budget_seconds
        for number, mutant in enumerate(self._mutants):
            found = {item for line in mutant.lines for item in lines.get((mutant.module, line), ())}
            if not found and mutant.module in self._in_processes:
                part = self._in_processes[mutant.module]
                found = {item for item in session.items if part in item.nodeid and item.nodeid not in self.broken}
            tests = sorted(found, key=lambda item: (-self._killers.get(item.nodeid, -1), seconds[item.nodeid]))
            if not tests:
                self.results[mutant] = "no test reaches it"
            elif time.monotonic() > until:
                self.results[mutant] = "out of time"
            else:
                verdict, killer = self._judge(session, number, mutant, _within(tests, seconds))
                self.results[mutant] = verdict
                if killer:
                    self._killers[killer] = number
            if not self.results[mutant].startswith("killed"):
                sys.stdout.write(f"{number + 1}/{len(self._mutants)} {self.results[mutant]}: {mutant.name}\n")
                sys.stdout.flush()
        # A server that some mutant brought down would make all later ones look killed.
        sample = [item for item in session.items if item.nodeid not in self.broken][::25]
        self.spoilt = [item.nodeid for item in sample if _fails(item, session)]
        return True

    def _baseline(self, session: pytest.Session) -> tuple[dict[tuple[str, int], list[pytest.Item]], dict[str, float]]:
        """Which tests reach which line of which module, and how long each takes; a test that fails is left out."""
        names = sorted({mutant.module for mutant in self._mutants})
        files = {str(sys.modules[name].__file__): name for name in names if name in sys.modules}
        measured = coverage.Coverage(data_file=None, config_file=False, include=list(files))
        seconds: dict[str, float] = {}
        items = {item.nodeid: item for item in session.items}
        measured.start()
        for item in session.items:
            measured.switch_context(item.nodeid)
            since = time.monotonic()
            failed = _fails(item, session)
            seconds[item.nodeid] = time.monotonic() - since
            if failed:
                self.broken.append(item.nodeid)
        measured.stop()
        data = measured.get_data()
        reached: dict[tuple[str, int], list[pytest.Item]] = {}
        for file, name in files.items():
            for line, contexts in data.contexts_by_lineno(file).items():
                reached[name, line] = [items[c] for c in contexts if c in items and c not in self.broken]
        sys.stdout.write(f"{len(items)} tests in {sum(seconds.values()):.0f} s, {len(self.broken)} broken\n")
        return reached, seconds

    def _judge(
        self, session: pytest.Session, number: int, mutant: Mutant, tests: Sequence[pytest.Item]
    ) -> tuple[str, str]:
        """The verdict, and the test that killed it."""
        since = time.time()
        sys.stdout.flush()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _live(session, number, mutant, tests, writing)
        os.close(writing)
        until = time.monotonic() + HANG_SECONDS
        status = None
        while status is None and time.monotonic() < until:
            done, found = os.waitpid(child, os.WNOHANG)
            if done:
                status = os.waitstatus_to_exitcode(found)
            else:
                time.sleep(0.01)
        if status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        _kill_those_of(number, since)
        with os.fdopen(reading) as told:
            running = told.read().split("\n")[-2:][0]
        verdicts = {None: "killed: hangs", 0: "survived", 1: "killed", 3: "cannot be applied"}
        verdict = verdicts.get(status, "killed: dies")
        return verdict, running if verdict.startswith("killed") else ""


def _live(session: pytest.Session, number: int, mutant: Mutant, tests: Sequence[pytest.Item], telling: int) -> None:
    """The life of a mutant, in a process of its own; never returns."""
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as overlay:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.environ[MARK] = str(number)
        try:
            _part_from_parent(number)
            apply(mutant, Path(overlay))
        except BaseException:  # noqa: BLE001 - said by the exit code
            status = 3
        else:
            status = 0
            for item in tests:
                os.write(telling, f"{item.nodeid}\n".encode())
                if _fails(item, session):
                    status = 1
                    break
            _clean_up()
    os._exit(status)


def _clean_up() -> None:
    import server_fixtures

    server_fixtures.take_away_left()


def _kill_those_of(number: int, since: float) -> None:
    """End every process that this mutant started and left behind; the servers' own children are as new, but have no mark."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.create_time() >= since - 1 and process.environ().get(MARK) == str(number):
                process.kill()


def _part_from_parent(number: int) -> None:
    """Let go of connections that the parent still uses, and of the names it will give."""
    import kombu.pools
    import sqlalchemy as sa

    import server_fixtures

    kombu.pools.reset()
    server_fixtures.LEFT.clear()
    server_fixtures.NAMES = itertools.count((number + 1) * 10_000)
    for engine in [found for found in gc.get_objects() if isinstance(found, sa.Engine)]:
        engine.dispose(close=False)


def _fails(item: pytest.Item, session: pytest.Session) -> bool:
    reports = runtestprotocol(item, log=False, nextitem=Anchor(session))  # type: ignore[arg-type]
    return any(report.failed for report in reports)


def _within(tests: Sequence[pytest.Item], seconds: dict[str, float]) -> list[pytest.Item]:
    total = 0.0
    chosen = []
    for item in tests:
        total += seconds[item.nodeid]
        if total > TEST_SECONDS and chosen:
            break
        chosen.append(item)
    return chosen


def _restarts(item: pytest.Item) -> bool:
    source = inspect.getsource(item.function) if isinstance(item, pytest.Function) else ""
    return any(f"{server}.{act}(" in source for server in ("postgres", "rabbitmq", "valkey")
               for act in ("stop", "kill", "pause", "start"))  # fmt: skip
