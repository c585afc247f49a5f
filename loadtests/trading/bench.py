"""`make bench CAPSTONE=trading`: orders through the engine in process, over each way to an acknowledgement, and against the naive design.

In process there is no journal, no gateway, no second process: this is the time that rules, book and outcomes take, and nothing else's
figure. The other ways stand under `paths`, see paths.py and fix_path.py; the naive design is in comparison.py. The last line is JSON. On a
crowded machine read the CPU figures and compare them with those of the plain loop, which runs right before.
"""

import argparse
import gc
import json
import os
import statistics
import time
from typing import Any

from loadtests.trading import comparison, fix_path, paths, volume
from loadtests.trading.orders import ACCOUNTS, SYMBOLS, Record, mixed, opened
from trading.domain.snapshot import snapshot

LOOP = 1_000_000


def main(argv: list[str]) -> int:
    """Print a table and one line of JSON; 1 when two runs came to different states, or two designs to different trades."""
    parser = argparse.ArgumentParser(prog="bench trading", description=__doc__)
    parser.add_argument("--orders", type=int, default=200_000, help="orders and cancels of a run")
    parser.add_argument("--rounds", type=int, default=5, help="the medians are of these")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--path-rounds", type=int, default=9, help="the medians of the ways are of these; 0 leaves them out"
    )
    parser.add_argument(
        "--naive-rounds", type=int, default=3, help="the medians of the comparison are of these; 0 leaves it out"
    )
    parser.add_argument(
        "--messages",
        type=int,
        help="instead of all that: so many FIX messages through gateway and journal, see volume.py",
    )
    asked = parser.parse_args(argv)
    if asked.messages is not None:
        if asked.messages < 1:
            parser.error(f"--messages: at least 1, got {asked.messages}")
        return volume.run(asked.messages)
    records = mixed(asked.orders, asked.seed)
    rounds: list[dict[str, float]] = []
    states: set[str] = set()
    least: list[int] = []
    for number in range(1, asked.rounds + 1):
        one = {**plain_loop(), "pause_p999": paths.pauses(), **untimed(records, states)}
        taken = timed(records)
        least = list(map(min, least, taken)) if least else taken
        one |= quantiles(taken)
        rounds.append(one)
        print(f"round {number}: {json.dumps(one)}", flush=True)
    document: dict[str, Any] = {"capstone": "trading", "bench": "engine", "symbols": SYMBOLS, "accounts": ACCOUNTS}
    document |= {"orders": asked.orders, "rounds": asked.rounds, "seed": asked.seed}
    document |= {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    # What each order took in its best round: the program without its neighbours, and no figure to be quoted without this word.
    document["undisturbed"] = {"orders_per_s": round(len(least) / sum(least) * 1e9), **quantiles(least)}
    if asked.path_rounds:
        ways = {**paths.measured(asked.path_rounds), "fix": fix_path.measured(asked.path_rounds)}
        if len(paths.cores()) > 1:
            ways["fix_spinning"] = fix_path.measured(asked.path_rounds, engine_core=paths.cores()[-1])
        document["paths"] = ways
    if asked.naive_rounds:
        document |= comparison.measured(asked.naive_rounds)
    document |= {"same_state": len(states) == 1, "load": round(os.getloadavg()[0], 1)}
    print(json.dumps(document))
    return 0 if document["same_state"] and document.get("same_executions", True) else 1


def untimed(records: list[Record], states: set[str]) -> dict[str, float]:
    """Orders a second without a clock between them, and a CPU second; adds the state that they come to."""
    apply, engine = _ready()
    began, cpu_began = time.perf_counter(), time.process_time()
    for record in records:
        apply(record)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    _collect()
    states.add(json.dumps(snapshot(engine)))
    return {
        "orders_per_s": round(len(records) / seconds),
        "orders_per_cpu_s": round(len(records) / cpu_seconds),
    }


def timed(records: list[Record]) -> list[int]:
    """Nanoseconds of each order; reading the clock is within."""
    apply, _ = _ready()
    clock = time.perf_counter_ns
    taken = []
    for record in records:
        began = clock()
        apply(record)
        taken.append(clock() - began)
    _collect()
    return taken


def quantiles(taken_ns: list[int]) -> dict[str, float]:
    """Microseconds."""
    ordered, shares = sorted(taken_ns), {"p50_us": 0.5, "p99_us": 0.99, "p999_us": 0.999}
    return {name: round(ordered[int(len(ordered) * share)] / 1_000, 2) for name, share in shares.items()}


def plain_loop() -> dict[str, float]:
    """Nanoseconds of one turn of a fixed loop of plain Python: how fast the machine is at this moment."""
    counts: dict[int, int] = {}
    began, cpu_began = time.perf_counter_ns(), time.process_time_ns()
    for number in range(LOOP):
        key = number & 1023
        counts[key] = counts.get(key, 0) + number
    ns, cpu_ns = time.perf_counter_ns() - began, time.process_time_ns() - cpu_began
    return {"loop_ns": round(ns / LOOP, 1), "loop_cpu_ns": round(cpu_ns / LOOP, 1)}


def _ready() -> tuple[Any, Any]:
    """A fresh engine, with the collector off as in a process that does nothing else."""
    engine = opened()
    gc.collect()
    gc.freeze()
    gc.disable()
    return engine.apply, engine


def _collect() -> None:
    gc.unfreeze()
    gc.enable()
