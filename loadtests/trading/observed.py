"""`python -m loadtests.trading.observed`: what it costs an order in CPU that gateway and engine are watched.

Neither knows of metrics or traces: the engine counts how long its inputs take, the gateway counts messages, and others show that and make
spans of the journal. So watched are compared with engines that count nothing, in turns of short slices.

`engine`  one engine in this process takes inputs 1, 3 and 256 at a time, with its durations counted and without: the same memory, the
          same book, and nobody to wait for. So a tenth of a microsecond shows.
`fix`     two whole shards, an order by FIX over TCP to its report, one in flight and many: the CPU of gateway and engine, by the kernel.
`share`   what counting takes by `engine`, and the gateway's two additions, of what gateway and engine take by `fix`, in percent. One order
          in flight is a batch of its own; with 300 in flight a batch had 3.5 inputs.

The last line is JSON.
"""

import argparse
import contextlib
import gc
import json
import os
import statistics
import sys
import tempfile
import time
import timeit
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from loadtests.pairs import PLAIN, costs, cpu_ns, middle, slices
from loadtests.trading import fix_path, unwatched
from loadtests.trading.driven_engine import EngineHere, here
from loadtests.trading.orders import mixed, opening
from trading.adapters.layouts import encode_input
from trading.processes import engine
from trading.processes.engine import BATCH, EngineProcess
from trading.processes.gateway import Gateway
from trading.processes.owner import Owner
from trading.processes.settings import ShardSettings

WATCHED = "watched"
WAYS = (PLAIN, WATCHED)
SIZES = (1, 3, BATCH)
SIZE_OF = {"one in flight": 1, "many in flight": 3}
"""Inputs of a batch of the engine, by how orders come."""
SLICE_INPUTS = BATCH
ONE_IN_FLIGHT, PIPELINED = 200, 2_000
"""Orders of a slice by FIX."""
ADDITIONS = 2
"""Of the gateway, an order: a message came, a report went."""


def in_process(turns: int, count: int) -> dict[int, dict[str, Any]]:
    """By inputs of a batch, the costs of an input."""
    found: dict[int, list[dict[str, float]]] = {size: [] for size in SIZES}
    need = turns * count * len(SIZES) * len(WAYS) * SLICE_INPUTS
    messages = iter([encode_input(record) for record in mixed(need, seed=2)])
    with tempfile.TemporaryDirectory(prefix="trading-bench-") as place:
        folder = Path(place)
        with here(EngineProcess, ShardSettings(folder=folder, sessions=folder / "sessions.json")) as one:
            one.take(opening())
            gc.collect()
            gc.freeze()
            gc.disable()
            for number in range(turns):
                for size, all_turns in found.items():
                    taken: dict[str, list[float]] = {way: [] for way in WAYS}
                    for way in slices(WAYS, count, number):
                        taken[way].append(_slice(one, way, size, [next(messages) for _ in range(SLICE_INPUTS)]))
                    all_turns.append({way: middle(ns) / SLICE_INPUTS / 1000 for way, ns in taken.items()})
    gc.enable()
    return {size: costs(all_turns) for size, all_turns in found.items()}


def _slice(one: EngineHere, way: str, size: int, messages: Sequence[bytes]) -> int:
    """Nanoseconds of CPU."""
    take = one.process._timed if way == WATCHED else one.process._take
    batches = [list(messages[at : at + size]) for at in range(0, len(messages), size)]
    began = time.process_time_ns()
    for batch in batches:
        take(batch)
    spent = time.process_time_ns() - began
    one.drain()
    return spent


def by_fix(turns: int, count: int) -> dict[str, dict[str, Any]]:
    """The costs of an order for gateway and engine, one in flight and many."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SIZE_OF}
    for number in range(turns):
        # New processes each turn: where their memory lies differs, and with it what an order takes.
        with contextlib.ExitStack() as stack:
            shards = {way: stack.enter_context(_shard(way)) for way in WAYS}
            for name, orders in zip(found, (ONE_IN_FLIGHT, PIPELINED), strict=True):
                _turn(shards, name, orders, 1, -1)  # warms up
                taken = _turn(shards, name, orders, count, number)
                found[name].append({way: middle(ns) / orders / 1000 for way, ns in taken.items()})
    return {name: costs(all_turns) for name, all_turns in found.items()}


@contextlib.contextmanager
def _shard(way: str) -> Iterator[tuple[Owner, fix_path.Client]]:
    with tempfile.TemporaryDirectory(prefix="trading-bench-") as place:
        main = unwatched.main if way == PLAIN else engine.main
        # The owner asks the module for it when it starts the process.
        with mock.patch.object(engine, "main", main):
            opened = fix_path.owned(Path(place))
            owner = opened.__enter__()
        try:
            client = fix_path.Client(owner.port)
            yield owner, client
            client.socket.close()
            if owner.replaced:
                raise RuntimeError(f"a shard was replaced: {owner.why}")
        finally:
            opened.__exit__(None, None, None)


def _turn(
    shards: Mapping[str, tuple[Owner, fix_path.Client]], name: str, orders: int, count: int, seed: int
) -> dict[str, list[float]]:
    """Nanoseconds of CPU of each slice, by way."""
    taken: dict[str, list[float]] = {way: [] for way in shards}
    for way in slices(list(shards), count, seed):
        owner, client = shards[way]
        pids = [owner.pid("engine"), owner.pid("gateway")]
        before = sum(map(cpu_ns, pids))
        if name == "one in flight":
            client.one_in_flight(orders)
        else:
            client.pipelined(orders)
        taken[way].append(sum(map(cpu_ns, pids)) - before)
        for other, _ in shards.values():
            other.check()
    return taken


def addition_ns() -> float:
    """Nanoseconds of adding one to a number of the gateway."""
    counted: Any = Gateway.__new__(Gateway)
    counted._received = 10**6

    def add() -> None:
        counted._received += 1

    def nothing() -> None:
        pass

    def took(done: Any) -> float:
        return min(timeit.repeat(done, number=100_000, repeat=5)) / 100_000 * 1e9

    return took(add) - took(nothing)


def shares(
    within: Mapping[int, Mapping[str, Any]], path: Mapping[str, Mapping[str, Any]], add_ns: float
) -> dict[str, float]:
    """Percent of what gateway and engine take for an order; `within` are the costs of an input by inputs of a batch."""
    found = {}
    for name, size in SIZE_OF.items():
        turns = zip(within[size][WATCHED]["us_by_turn"], within[size][PLAIN]["us_by_turn"], strict=True)
        more_us = statistics.median(watched - plain for watched, plain in turns) + ADDITIONS * add_ns / 1000
        found[name] = round(more_us / path[name][PLAIN]["us"] * 100, 2)
    return found


def main(argv: list[str]) -> int:
    """Measure; the last line is JSON."""
    parser = argparse.ArgumentParser(prog="observed", description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--slices", type=int, default=20, help="slices of each way in a turn")
    given = parser.parse_args(argv)
    within = in_process(given.turns, given.slices)
    print(f"  {json.dumps(within)}", flush=True)
    path = by_fix(given.turns, given.slices)
    add_ns = addition_ns()
    document = {
        "capstone": "trading",
        "bench": "observed",
        "engine": within,
        "fix": path,
        "addition_ns": round(add_ns, 1),
    }
    document |= {"share": shares(within, path, add_ns), "load": round(os.getloadavg()[0], 1)}
    print(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
