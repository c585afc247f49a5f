"""Orders a second, ours against the rival's, on one machine in one run: A B A B …, medians, CPU by stage.

Both sides get the same seeded orders, accepted beforehand; the clock runs from the first message to the last effect of the last
order: goods held and shipped, charge, label, hand-over, two mails, timeline. The carrier's callback comes hours later in life, to
the API of either design, and is not measured. A run whose effects differ from the other side's is an error, not a number.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, get_args

import sqlalchemy as sa

from conductor.laptop import lifecycle
from conductor.laptop.platform import Platform
from conductor.laptop.wanted import Wanted
from conductor.pools import Broker
from conductor.run_directory import RunDirectory
from loadtests.orders import cpu, outcome
from loadtests.orders.ours import Ours
from loadtests.orders.report import Measured, document, table
from loadtests.orders.rival import Rival

WARM_UP_ORDERS = 200
PATIENCE_SECONDS = 900.0


class Side(Protocol):
    """One of the two designs."""

    name: str
    engine: sa.Engine

    def wake(self) -> None: ...
    def rest(self) -> None: ...
    def accept(self, count: int, seed: int, customer: str) -> float: ...
    def go(self) -> float: ...
    def finish(self) -> None: ...
    def pids(self) -> dict[str, list[int]]: ...


@dataclass(frozen=True, slots=True)
class Bench:
    """A platform with both sides on it."""

    platform: Platform
    sides: tuple[Side, ...]

    def run(self, side: Side, orders: int, seed: int) -> Measured:
        """Measure one side once; it must be awake."""
        customer = f"bench-{side.name}-{seed}-{time.time_ns()}"
        door = self._door_pids()
        before = cpu.seconds(door)
        took = side.accept(orders, seed, customer)
        accepting = cpu.since(before, door)
        expected = outcome.mails(side.engine) + orders * outcome.MAILS_PER_ORDER
        stages = {**side.pids(), **self._server_pids()}
        before = cpu.seconds(stages)
        began = side.go()
        outcome.await_mails(side.engine, expected, within_seconds=PATIENCE_SECONDS)
        outcome.await_empty_outbox(side.engine, within_seconds=60)
        spent = cpu.since(before, stages)
        side.finish()
        seconds = outcome.last_effect(side.engine, customer) - began
        return Measured(
            side=side.name,
            orders=orders,
            seconds=seconds,
            accept_seconds=took,
            cpu_seconds=spent,
            accept_cpu_seconds=accepting,
            effects=outcome.effects(side.engine, customer),
        )

    def _server_pids(self) -> dict[str, list[int]]:
        broker = ("rabbitmq", "epmd") if self.platform.state.broker == "rabbitmq" else ("valkey",)
        running = {process.name: process.pid for process in self.platform.supervisor.processes() if process.pid}
        found = {"postgres": [running["postgres"]], "broker": [running[name] for name in broker]}
        return found if "valkey" in broker else {**found, "valkey": [running["valkey"]]}

    def _door_pids(self) -> dict[str, list[int]]:
        postgres = self._server_pids()["postgres"]
        return {"accept": [os.getpid()], "postgres": postgres}


@contextlib.contextmanager
def platform_of_its_own(broker: Broker | None) -> Iterator[Platform]:
    """The platform of `make up`, in a folder and on ports of its own; gone at the end, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    run = RunDirectory(folder)
    try:
        started = lifecycle.up(run, Wanted(broker, {"OUTSIDE": "instant"}), lambda text: print(f"  {text}", flush=True))
        # It would take a relay that is held for a dead one.
        started.platform.supervisor.begin_stop("keeper")
        yield started.platform
    finally:
        lifecycle.down(run)
        shutil.rmtree(folder, ignore_errors=True)


def measure(broker: Broker | None, orders: int, pairs: int, *, only: str | None = None) -> tuple[str, list[Measured]]:
    """Run A B A B …; the broker's name and every measurement."""
    with platform_of_its_own(broker) as platform:
        made = Ours(platform)
        made.rest()
        sides = [side for side in (made, Rival(platform)) if only in (None, side.name)]
        bench = Bench(platform, tuple(sides))
        results = []
        for seed in range(pairs):
            for side in bench.sides:
                side.wake()
                bench.run(side, WARM_UP_ORDERS, -1 - seed)
                results.append(bench.run(side, orders, seed))
                side.rest()
                print(f"  {results[-1]}", flush=True)
        return platform.state.broker, results


def main(argv: list[str]) -> int:
    """Measure, print the table, end with one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench orders", description=__doc__)
    parser.add_argument("--broker", choices=get_args(Broker), help="RabbitMQ when it is installed")
    parser.add_argument("--orders", type=int, default=2000, help="orders a run")
    parser.add_argument("--pairs", type=int, default=3, help="runs of each side")
    parser.add_argument("--only", choices=("ours", "naive"), help="one side, for profiling")
    given: Any = parser.parse_args(argv)
    # So that everything that was started is ended, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    broker, results = measure(given.broker, given.orders, given.pairs, only=given.only)
    print(table(results))
    found = document(broker, results)
    print(json.dumps(found))
    return 0 if found["effects_equal"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
