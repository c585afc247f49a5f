"""One platform a capstone and broker for all drills, in a directory of its own; each drill plays on it with a journal of its own.

The platform is started when the first drill asks for it and rests between drills: a drill begins when all is ready again.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from conductor import capstones
from conductor.capstone import Patience, Size
from conductor.commands.drill import known
from conductor.harness import runner
from conductor.harness.drill import Drill
from conductor.harness.reporter import Reporter
from conductor.harness.runner import Played
from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.servers import rabbitmq
from conductor.pools import Broker
from conductor.runtime import Change

MUTANTS = Path(__file__).resolve().parents[1] / "mutants"
PATIENCE = Patience(total_seconds=540, quiet_seconds=45)
READY_SECONDS = 180

Play = Callable[..., Played]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A drill takes longer than any other test."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.drill)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session", params=["rabbitmq", "valkey"])
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRuntime]:
    """A platform with the settings of every drill; its logs stay in pytest's temporary directory.

    The parameter is the broker, for the orders, or the capstone and the broker: `analytics-rabbitmq`.
    """
    name, _, told = str(request.param).rpartition("-")
    capstone = capstones.named(name or "orders")
    broker: Broker = "rabbitmq" if told == "rabbitmq" else "valkey"
    if broker == "rabbitmq" and not rabbitmq.installed():
        reason = "rabbitmq-server is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    settings: dict[str, str] = {}
    pools: dict[str, object] = {}
    for drill in known(capstone.name).values():
        settings |= drill.settings
        pools |= drill.pools
    reporter = Reporter(Console(highlight=False))
    directory = tmp_path_factory.mktemp("drills") / broker
    with runner.own_platform(directory, capstone, broker, reporter, settings=settings, pools=pools) as running:
        yield running


@pytest.fixture
def play(runtime: LocalRuntime, tmp_path: Path) -> Play:
    """Plays a drill by name, or one made for the test, on the platform once it is ready."""

    def run(drill: str | Drill, orders: int, *, patience: Patience = PATIENCE) -> Played:
        capstone = runtime.platform.capstone
        chosen = known(capstone.name)[drill] if isinstance(drill, str) else drill
        runtime.wait_ready(READY_SECONDS)
        with Reporter(Console(highlight=False, width=160)) as reporter:
            journal = tmp_path / f"{chosen.name}-{len(list(tmp_path.iterdir()))}.jsonl"
            return runner.play(chosen, capstone, runtime, Size(orders), reporter, journal, patience)

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
