"""How long inputs take is counted once a batch of them, and leaves no memory behind; nothing else of an order's way is counted or traced.

That engine and gateway import nothing of metrics and traces is a contract of imports (pyproject.toml).
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from loadtests.trading.driven_engine import EngineHere, here, shard
from loadtests.trading.orders import mixed, opening
from loadtests.trading.unwatched import Unwatched

from fakes.watching_costs import blocks_left, lines_run
from trading.adapters.board import DURATIONS, Field
from trading.adapters.layouts import encode_input
from trading.processes.engine import BATCH, BUCKETS, EngineProcess

ORDERS = 4_000
MORE_BLOCKS = 2 * DURATIONS
"""However many orders come: each count of the histogram is an object, the sum is one, and each is on the board."""


@contextmanager
def at_work(kind: type[EngineProcess], folder: Path) -> Iterator[EngineHere]:
    """An engine whose market is open."""
    with here(kind, shard(folder)) as engine:
        engine.take(opening())
        yield engine


def counted(engine: EngineHere, messages: list[bytes], size: int) -> None:
    for at in range(0, len(messages), size):
        engine.process._timed(messages[at : at + size])
        engine.drain()
    engine.process._beat()


def test_what_counts_durations_runs_once_for_a_batch_whatever_it_holds(tmp_path: Path) -> None:
    one, *many = (encode_input(record) for record in mixed(1 + BATCH, seed=2))
    with at_work(EngineProcess, tmp_path) as engine:
        few = lines_run(lambda: engine.process._timed([one]), EngineProcess._timed)
        engine.drain()

        assert few == lines_run(lambda: engine.process._timed(many), EngineProcess._timed)
        assert few.total() > 0


@pytest.mark.parametrize("size", [1, BATCH])
def test_counting_durations_leaves_no_memory_behind(tmp_path: Path, size: int) -> None:
    messages = [encode_input(record) for record in mixed(2 * ORDERS, seed=2)]
    folders = itertools.count()

    def left(kind: type[EngineProcess], orders: int) -> int:
        with at_work(kind, tmp_path / f"{next(folders)}") as engine:
            return blocks_left(lambda: counted(engine, messages[:orders], size))

    left(EngineProcess, 2 * ORDERS)  # what is kept for good
    for orders in (ORDERS, 2 * ORDERS):
        assert abs(left(EngineProcess, orders) - left(Unwatched, orders)) <= MORE_BLOCKS


def test_each_input_is_counted_where_its_duration_belongs(tmp_path: Path) -> None:
    messages = [encode_input(record) for record in mixed(ORDERS, seed=2)]
    with at_work(EngineProcess, tmp_path) as engine:
        counted(engine, messages, 100)
        counts, busy_ns = engine.board.read(Field.ENGINE_DURATIONS, DURATIONS), engine.board.get(Field.ENGINE_BUSY_NS)

    assert ORDERS == sum(counts)
    # Each is at least the lower bound of its bucket, and less than twice that.
    low = sum(count << 9 + bucket for bucket, count in enumerate(counts) if bucket)
    assert low <= busy_ns
    assert busy_ns < 2 * low + (counts[0] << 10) or counts[-1]


def test_a_duration_that_is_short_or_long_has_a_place() -> None:
    places = [BUCKETS[took.bit_length()] for took in (0, 1023, 1024, 2047, 2048, 2**29 - 1, 2**29, 2**63)]

    assert [0, 0, 1, 1, 2, DURATIONS - 2, DURATIONS - 1, DURATIONS - 1] == places
