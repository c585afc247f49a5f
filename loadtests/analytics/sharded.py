"""`python -m loadtests.analytics.sharded`: what an event costs the store of the counters, on one server and on a cluster of three nodes.

The same windows of events are counted and flushed, as aggregators flush those of `--rate` events a second: once into one shard, and once
into three, whose aggregators have a third of the events each. Prints CPU an event of each node, how many cells (fields of hashes) were
written, and the memory of a cell. No broker and no edge.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from analytics.adapters.counter_store import RedisCounterStore
from analytics.adapters.store_clients import StoreAddress, nodes_of
from analytics.domain.batch import columnise
from analytics.domain.counting import Growth, count
from analytics.domain.events import Timing
from analytics.domain.parsing import parse_lines
from analytics.domain.parts import Part, cut, shard_of
from conductor.laptop.servers.valkey import Store
from conductor.laptop.servers.valkey_cluster import ClusterNode
from conductor.laptop.state import State
from conductor.run_directory import RunDirectory
from loadtests.analytics import events
from loadtests.analytics.servers import free_port, launched, wait
from loadtests.orders import cpu

SHARDS = 3
WINDOWS_A_SECOND = 4
DISTINCT_WINDOWS = 4
BODIES = 50
"""Events of a request: as many parts as a window has, so that shards get even shares."""


def main(argv: list[str]) -> int:
    """Print a table as Markdown."""
    parser = argparse.ArgumentParser(prog="sharded", description=__doc__)
    parser.add_argument("--rate", type=int, default=100_000, help="events a second")
    parser.add_argument(
        "--seconds", type=int, default=10, help="how many seconds' windows are flushed, as fast as they are taken"
    )
    options = parser.parse_args(argv)
    print("| users, contents | nodes | cells an event | us of CPU an event, each node | all | cells | bytes a cell |")
    print("|---|---|---|---|---|---|---|")
    for name, draw in {
        "10,000 and 1,000, evenly": {"users": 10_000, "contents": 1_000, "zipf": False},
        "1,000,000 and 100,000, by Zipf's law": {"users": 1_000_000, "contents": 100_000, "zipf": True},
    }.items():
        windows = _windows(options.rate // WINDOWS_A_SECOND, draw)
        for shards in (1, SHARDS):
            found = _measure(windows, options.seconds * WINDOWS_A_SECOND, shards)
            told = ", ".join(f"{one:.2f}" for one in found.us)
            print(f"| {name} | {shards} | {found.written:.2f} | {told} | {sum(found.us):.2f} ", end="")
            print(f"| {found.cells:,} | {found.bytes:.0f} |", flush=True)
    return 0


def _windows(size: int, draw: dict[str, Any]) -> list[list[Part]]:
    now_ms = time.time_ns() // 1_000_000
    made = events.bodies(DISTINCT_WINDOWS * size // BODIES, now_ms=now_ms, size=BODIES, **draw)
    parts = [
        part
        for number, body in enumerate(made)
        for part in cut("bench", str(number), parse_lines(events.ndjson(body), limit=BODIES).events)
    ]
    a_window = size // BODIES
    return [parts[first : first + a_window] for first in range(0, len(parts), a_window)]


@dataclass(frozen=True, slots=True)
class Found:
    """`written` is cells an event, `us` microseconds of CPU an event by node, `cells` how many there are in the end, of `bytes` each."""

    written: float
    us: list[float]
    cells: int
    bytes: float


def _measure(windows: list[list[Part]], flushes: int, shards: int) -> Found:
    growths = [[_growth(window, shard, shards) for window in windows] for shard in range(shards)]
    with _store(shards) as (address, pids):
        client = address.client()
        writers = [
            RedisCounterStore(client, keys, minute_seconds=7200, hour_seconds=72_000, dedup_ms=3_600_000)
            for keys in address.every_shard
        ]
        empty = _memory(address)[1]
        before, total, written = cpu.seconds(pids), 0, 0
        for flush in range(flushes):
            for writer, own in zip(writers, growths, strict=True):
                growth = own[flush % len(own)]
                growth.parts = [os.urandom(16) for _ in growth.parts]  # the same events under other keys
                writer.add(growth)
                total += growth.events
                written += _cells(growth)
        spent = cpu.since(before, pids)
        cells, full = _memory(address)
        return Found(written / total, [one / total * 1e6 for one in spent.values()], cells, (full - empty) / cells)


def _growth(window: list[Part], shard: int, shards: int) -> Growth:
    own = [part for part in window if shard_of(part.id, shards) == shard]
    return count([columnise(own, time.time_ns() // 1_000_000, lambda _: Timing.ON_TIME)])


def _memory(address: StoreAddress) -> tuple[int, int]:
    """How many cells of counters there are, and the bytes that the servers use."""
    cells = used = 0
    for url in nodes_of(address.url):
        with redis.Redis.from_url(url) as client:
            keys = [key for key in client.scan_iter(count=1000) if client.type(key) == b"hash"]
            cells += sum(client.hlen(key) for key in keys)  # type: ignore[misc]
            used += client.info("memory")["used_memory"]  # type: ignore[index]
    return cells, used


def _cells(growth: Growth) -> int:
    minutes = sum(map(len, growth.contents.values()))
    kinds = {(kind, content) for (kind, _), counter in growth.contents.items() for content in counter}
    return minutes + len(kinds) + sum(map(len, growth.users.values())) + sum(map(len, growth.totals.values()))


@contextlib.contextmanager
def _store(shards: int) -> Iterator[tuple[StoreAddress, dict[str, list[int]]]]:
    with tempfile.TemporaryDirectory(prefix="sharded-bench-") as folder, contextlib.ExitStack() as stack:
        run = RunDirectory(Path(folder))
        run.data.mkdir(parents=True)
        state = State.fresh("valkey", "analytics")
        names = [f"node-{number}" for number in range(shards)]
        state.ports.update({name: free_port() for node in names for name in (node, f"{node}_bus")})
        given = (run, state, dict(os.environ), "bench")
        nodes = [ClusterNode(name, names, *given) for name in names] if shards > 1 else [Store(names[0], *given)]
        pids: dict[str, list[int]] = {}
        for node in nodes:
            node.prepare()
            (program,) = node.programs()
            pids[node.name] = [launched(stack, program.argv, program.environment, program.directory)]
        wait(lambda: all(node.answers() for node in nodes), "the store")
        yield StoreAddress(",".join(node.address() for node in nodes), shards), pids


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
