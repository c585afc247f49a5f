"""`make bench CAPSTONE=trading`: orders through the engine in process, all rules on; the last line is JSON.

No journal, no gateway, no second process: this is the time that rules, book and outcomes take, and nothing else's figure.
"""

import argparse
import gc
import json
import os
import statistics
import time
from typing import Any

from loadtests.trading.orders import ACCOUNTS, SYMBOLS, Record, mixed, opened
from trading.domain.snapshot import snapshot

LOOP = 1_000_000


def main(argv: list[str]) -> int:
    """Print a table and one line of JSON; 1 when two runs came to different states."""
    parser = argparse.ArgumentParser(prog="bench trading", description=__doc__)
    parser.add_argument("--orders", type=int, default=200_000, help="orders and cancels of a run")
    parser.add_argument("--rounds", type=int, default=5, help="the medians are of these")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(argv)
    records = mixed(asked.orders, asked.seed)
    rounds, states = [], set()
    for number in range(1, asked.rounds + 1):
        loop_ns = plain_loop_ns()
        per_second, state = untimed(records)
        p50, p99, p999 = timed(records)
        states.add(state)
        rounds.append({"orders_per_s": per_second, "p50_us": p50, "p99_us": p99, "p999_us": p999, "loop_ns": loop_ns})
        print(
            f"round {number}: {per_second:,} orders/s untimed; timed p50 {p50} µs, p99 {p99} µs, p99.9 {p999} µs; "
            f"plain loop {loop_ns} ns"
        )
    document: dict[str, Any] = {"capstone": "trading", "bench": "engine", "symbols": SYMBOLS, "accounts": ACCOUNTS}
    document |= {"orders": asked.orders, "rounds": asked.rounds, "seed": asked.seed}
    document |= {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    document |= {"same_state": len(states) == 1, "load": round(os.getloadavg()[0], 1)}
    print(json.dumps(document))
    return 0 if document["same_state"] else 1


def untimed(records: list[Record]) -> tuple[int, str]:
    """Orders a second without a clock between them, and the state they come to."""
    apply, engine = _ready()
    began = time.perf_counter()
    for record in records:
        apply(record)
    seconds = time.perf_counter() - began
    gc.enable()
    return round(len(records) / seconds), json.dumps(snapshot(engine))


def timed(records: list[Record]) -> tuple[float, float, float]:
    """p50, p99 and p99.9 in microseconds of an order; reading the clock is within."""
    apply, _ = _ready()
    clock = time.perf_counter_ns
    taken = []
    for record in records:
        began = clock()
        apply(record)
        taken.append(clock() - began)
    gc.enable()
    taken.sort()
    return tuple(round(taken[int(len(taken) * share)] / 1_000, 2) for share in (0.5, 0.99, 0.999))  # type: ignore[return-value]


def plain_loop_ns() -> float:
    """Nanoseconds of one turn of a fixed loop of plain Python: how fast the machine is at this moment."""
    counts: dict[int, int] = {}
    began = time.perf_counter_ns()
    for number in range(LOOP):
        key = number & 1023
        counts[key] = counts.get(key, 0) + number
    return round((time.perf_counter_ns() - began) / LOOP, 1)


def _ready() -> tuple[Any, Any]:
    """A fresh engine, with the collector off as in a process that does nothing else."""
    engine = opened()
    gc.collect()
    gc.freeze()
    gc.disable()
    return engine.apply, engine
