"""`python -m loadtests.trading.positions`: how many inputs a second become positions in a real PostgreSQL; the last line is JSON.

A journal of the bench's orders is read by a tail, whose batches are kept, and then applied as a worker of the portfolio pool does, four at
a time. No broker stands between, so that the figures are those of the two ends. At the end the positions are compared with a replay.
"""

import argparse
import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

from chassis.migrate import migrate, scripts_of
from conductor.laptop.servers.postgres import Postgres
from conductor.laptop.state import State
from conductor.run_directory import RunDirectory
from loadtests.analytics.servers import free_port, wait
from loadtests.trading.orders import mixed, opening
from trading.adapters.journal.writer import Journal
from trading.adapters.layouts import encode_input, encode_outcome
from trading.adapters.portfolio_store import SqlPortfolioStore
from trading.domain.engine import Engine
from trading.domain.portfolio import FeeSchedule
from trading.processes.settings import ShardSettings
from trading.processes.tail import TailPublisher
from trading.usecases.portfolio import ApplyJournal
from trading.usecases.reconcile import compare

FEES = FeeSchedule(100, 300)
COMMIT, WINDOW = 50, 4


class Kept:
    """A sink that keeps what is published."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def publish(self, body: bytes) -> "Future[None]":
        """Keep one."""
        done: Future[None] = Future()
        self.bodies.append(body)
        done.set_result(None)
        return done

    def close(self) -> None:
        """Nothing is open."""


@contextlib.contextmanager
def database(folder: Path) -> Iterator[str]:
    """The address of a PostgreSQL with the service's schema, as `make up` runs one; gone afterwards."""
    run, state = RunDirectory(folder), State.fresh("rabbitmq", "trading")
    run.make()
    state.ports["postgres"] = free_port()
    server = Postgres(run, state, dict(os.environ), "trading")
    server.prepare()
    with contextlib.ExitStack() as stack:
        for program in server.programs():
            argv = server.launch(program.name, program.argv, server.data)
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        wait(server.answers, "PostgreSQL")
        server.make_database()
        address = server.address().replace("postgresql://", "postgresql+psycopg://", 1)
        migrate(address, scripts_of("trading.audit"))
        yield address


def write(folder: Path, orders: int) -> int:
    """A journal of the bench's orders; how many inputs it holds."""
    engine = Engine()
    inputs = [*opening(), *mixed(orders, seed=1)]
    with Journal(folder, level="process", code_version="bench") as journal:
        for at in range(0, len(inputs), COMMIT):
            journal.reserve()
            journal.commit(
                [
                    b"".join([encode_input(record), *map(encode_outcome, engine.apply(record))])
                    for record in inputs[at : at + COMMIT]
                ]
            )
    return len(inputs)


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(prog="loadtests.trading.positions", description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="positions-bench-") as name, database(Path(name) / "run") as address:
        shard, sink = ShardSettings(Path(name), Path(name)), Kept()
        inputs = write(shard.journal, options.orders)
        began, cpu = time.perf_counter(), time.process_time()
        tail = TailPublisher(shard, sink)
        while tail.round():
            pass
        tailed, tail_cpu = time.perf_counter() - began, time.process_time() - cpu
        store, flushes = SqlPortfolioStore(address), []
        worker = ApplyJournal(store, FEES)
        cpu = time.process_time()
        for at in range(0, len(sink.bodies), WINDOW):
            began = time.perf_counter()
            worker.apply([worker.read(body) for body in sink.bodies[at : at + WINDOW]])
            flushes.append(time.perf_counter() - began)
        applied_cpu = time.process_time() - cpu
        compared = compare(shard.journal, store, 0, FEES)
        store.close()
    print(
        json.dumps(
            {
                "capstone": "trading",
                "bench": "positions",
                "inputs": inputs,
                "bytes_per_input": round(sum(map(len, sink.bodies)) / inputs),
                "tail_per_second": round(inputs / tailed),
                "tail_cpu_us": round(tail_cpu / inputs * 1e6, 2),
                "applied_per_second": round(inputs / sum(flushes)),
                "applied_cpu_us": round(applied_cpu / inputs * 1e6, 2),
                "slowest_flush_seconds": round(max(flushes), 3),
                "positions": compared.positions,
                "same": not compared.differences and not compared.behind,
                "load": round(os.getloadavg()[0], 1),
            }
        )
    )


if __name__ == "__main__":
    main()
