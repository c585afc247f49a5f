"""Drills on a platform that rests between them: each plays with a journal of its own, and begins when all is ready again.

A folder of a capstone has the fixture `runtime`, the platform that its drills are played on.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent))  # fixtures import `drill_platforms` by name

from drill_platforms import MUTANTS

from conductor.capstone import Patience, Size
from conductor.commands.drill import known
from conductor.harness import runner
from conductor.harness.drill import Drill
from conductor.harness.reporter import Reporter
from conductor.harness.runner import Played
from conductor.laptop.runtime import LocalRuntime
from conductor.runtime import Change

PATIENCE = Patience(total_seconds=540, quiet_seconds=45)
READY_SECONDS = 180

Play = Callable[..., Played]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A drill takes longer than any other test."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.drill)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture
def play(runtime: LocalRuntime, tmp_path: Path) -> Play:
    """Plays a drill by name, or one made for the test, on the platform once it is ready."""
    capstone = runtime.platform.capstone

    def run(drill: str | Drill, requests: int, *, patience: Patience = PATIENCE) -> Played:
        chosen = known(capstone.name)[drill] if isinstance(drill, str) else drill
        runtime.wait_ready(READY_SECONDS)
        with Reporter(Console(highlight=False, width=160)) as reporter:
            journal = tmp_path / f"{chosen.name}-{len(list(tmp_path.iterdir()))}.jsonl"
            return runner.play(chosen, capstone, runtime, Size(requests), reporter, journal, patience)

    return run


@pytest.fixture
def mutant() -> Callable[[str], dict[str, str]]:
    """The environment in which a process runs with guards broken."""
    return lambda mutants: {"PYTHONPATH": str(MUTANTS), "MUTANT": mutants}


@pytest.fixture
def mutate(runtime: LocalRuntime, mutant: Callable[[str], dict[str, str]]) -> Iterator[Callable[..., None]]:
    """Rolls pools to processes in which guards are broken; sound ones take their place again after the test."""
    rolled: list[str] = []

    def run(mutants: str, *, pools: Sequence[str]) -> None:
        for pool in pools:
            rolled.append(pool)
            runtime.roll(pool, Change(settings=mutant(mutants)))

    yield run
    for pool in dict.fromkeys(rolled):
        runtime.roll(pool)
