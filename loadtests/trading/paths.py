"""From a message in the gateway to its acknowledgement: codec, ring, engine, journal, ring, codec. Three ways, one engine process each.

The bench stands in for the gateway, with its rings and its codec and without its sockets. Which input has how many outcomes is known from a
rehearsal, so the clock stops with the last one.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import Any

from loadtests.trading.driven_engine import CONTEXT, DrivenEngine, driven
from loadtests.trading.orders import ACCOUNTS, LIMITS, REFERENCE, SYMBOLS, Record, mixed, opened
from trading.adapters.layouts import MARK, decode_outcome, encode_input
from trading.domain.terms import Input, Phase
from trading.processes.settings import ShardSettings

SINGLE, PIPELINED = 2_000, 20_000
"""Orders of one run: one in flight, and IN_FLIGHT in flight."""
IN_FLIGHT = 500
SYNCS, WAKES = 500, 1_000
WAYS = ("blocking", "spinning", "disk")


def measured(rounds: int, folder: Path | None = None) -> dict[str, Any]:
    """Medians by way; times in microseconds. `folder` is where the journals lie, by default where temporary files do."""
    records = mixed((SINGLE + PIPELINED) * rounds, seed=2)
    rehearsal = opened()
    counts = [len(rehearsal.apply(record)) for record in records]
    return {
        way: _way(way, rounds, records, counts, folder) for way in WAYS if "spinning" not in way or len(cores()) > 1
    }


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def _way(way: str, rounds: int, records: list[Record], counts: list[int], folder: Path | None) -> dict[str, Any]:
    runs = []
    spinning = "spinning" in way
    with tempfile.TemporaryDirectory(prefix="trading-bench-", dir=folder) as place, market(Path(place), way) as engine:
        with pinned() if spinning else nullcontext():
            messages = list(zip(records, counts, strict=True))
            for at in range(rounds):
                first = at * (SINGLE + PIPELINED)
                single, many = messages[first : first + SINGLE], messages[first + SINGLE : first + SINGLE + PIPELINED]
                run = {"pause_p999": pauses()} | one_in_flight(engine, single, spinning)
                run["per_second"] = pipelined(engine, many, spinning)
                if not spinning:
                    run["bare_round_trip_p50"] = bare_round_trip()
                if "disk" in way:
                    run["fdatasync_p50"] = bare_fdatasync(Path(place))
                runs.append(run)
        engine.end()
    medians = {name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]}
    print(f"{way}: " + ", ".join(f"{name} {value:,}" for name, value in medians.items()))
    return medians


@contextmanager
def pinned() -> Iterator[None]:
    """This process on the first of its cores; an engine that spins has the last."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


@contextmanager
def market(folder: Path, way: str) -> Iterator[DrivenEngine]:
    """An engine with all symbols open and all accounts approved, by way of its ring."""
    settings = ShardSettings(folder=folder, sessions=folder / "sessions.json")
    if "disk" in way:
        settings = replace(settings, level="disk")
    if "spinning" in way:
        settings = replace(settings, engine_core=cores()[-1])
    with driven(settings) as engine:
        engine.wait_until_ready()
        for symbol in range(1, SYMBOLS + 1):
            engine.send((Input.LIST, symbol, 1, 2_000), (Input.MARKET_DATA, symbol, REFERENCE))
            engine.send((Input.PHASE, symbol, Phase.CONTINUOUS))
            engine.outcomes(2)
        for account in range(1, ACCOUNTS + 1):
            engine.send((Input.PROPOSE_LIMITS, account, 1, *LIMITS))
        proposals = [one[4] for one in engine.outcomes(ACCOUNTS)]
        for account, proposal in enumerate(proposals, start=1):
            engine.send((Input.APPROVE_LIMITS, account, 2, proposal))
        engine.outcomes(ACCOUNTS)
        yield engine


def one_in_flight(engine: DrivenEngine, messages: list[tuple[Record, int]], spinning: bool) -> dict[str, float]:
    """Percentiles of the microseconds from an input to the last of its outcomes."""
    taken, clock = [], time.perf_counter_ns
    for record, count in messages:
        began = clock()
        engine.inputs.send(encode_input(record))
        while count:
            message = engine.said.spin() if spinning else engine.said.wait(1)
            if message is not None and message[0] != MARK:
                decode_outcome(message)
                count -= 1
        taken.append(clock() - began)
    taken.sort()
    return {
        name: taken[int(len(taken) * share)] / 1000 for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
    }


def pipelined(engine: DrivenEngine, messages: list[tuple[Record, int]], spinning: bool) -> float:
    """Inputs a second with IN_FLIGHT outcomes in flight."""
    began, open_counts, left = time.perf_counter(), 0, sum(count for _, count in messages)
    for record, count in messages:
        while open_counts + count > IN_FLIGHT:
            taken = _take(engine, spinning)
            open_counts, left = open_counts - taken, left - taken
        engine.inputs.send(encode_input(record))
        open_counts += count
    while left:
        left -= _take(engine, spinning)
    return len(messages) / (time.perf_counter() - began)


def _take(engine: DrivenEngine, spinning: bool) -> int:
    """Outcomes that are there now; waits for one."""
    taken = 0
    message = engine.said.spin() if spinning else engine.said.wait(1)
    while message is not None:
        if message[0] != MARK:
            decode_outcome(message)
            taken += 1
        message = engine.said.next()
    return taken


def bare_round_trip() -> float:
    """Median microseconds from waking a process to being woken by it, by two semaphores and nothing else: what two hand-overs cost here."""
    there, back = CONTEXT.Semaphore(0), CONTEXT.Semaphore(0)
    peer = CONTEXT.Process(target=_wake_back, args=(there, back), daemon=True)
    peer.start()
    taken, clock = [], time.perf_counter_ns
    for _ in range(WAKES):
        began = clock()
        there.release()
        back.acquire()
        taken.append(clock() - began)
    peer.join()
    # The first has waited until the peer was there.
    return statistics.median(taken[1:]) / 1000


def _wake_back(there: Semaphore, back: Semaphore) -> None:
    for _ in range(WAKES):
        there.acquire()
        back.release()


def bare_fdatasync(folder: Path) -> float:
    """Median microseconds of 64 bytes written into a file that has its size already, and the fdatasync after it."""
    path, taken = folder / "bare", []
    path.write_bytes(bytes(1 << 20))
    descriptor = os.open(path, os.O_WRONLY)
    os.fsync(descriptor)
    for number in range(SYNCS):
        began = time.perf_counter_ns()
        os.pwrite(descriptor, b"x" * 64, number * 64)
        os.fdatasync(descriptor)
        taken.append(time.perf_counter_ns() - began)
    os.close(descriptor)
    return statistics.median(taken) / 1000


def pauses() -> float:
    """p99.9 of the microseconds between two readings of the clock in an empty loop: what the machine takes from everybody."""
    gaps, last = [], time.perf_counter_ns()
    end = last + 100_000_000
    while last < end:
        now = time.perf_counter_ns()
        gaps.append(now - last)
        last = now
    gaps.sort()
    return gaps[int(len(gaps) * 0.999)] / 1000
