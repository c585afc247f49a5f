"""How long inputs take is counted once a batch of them, and leaves no memory behind; nothing else of an order's way is counted or traced.

That engine and gateway import nothing of metrics and traces is a contract of imports (pyproject.toml).
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from loadtests.trading.driven_engine import CONTEXT, shard
from loadtests.trading.orders import mixed, opening
from loadtests.trading.unwatched import Unwatched

from fakes.watching_costs import blocks_left, lines_run
from trading.adapters.board import DURATIONS, Board, Field
from trading.adapters.layouts import encode_input
from trading.adapters.ring import Ring
from trading.processes.engine import BATCH, BUCKETS, EngineProcess

ORDERS = 4_000
MORE_BLOCKS = 2 * DURATIONS
"""However many orders come: each count of the histogram is an object, the sum is one, and each is on the board."""


@contextmanager
def at_work(kind: type[EngineProcess], folder: Path) -> Iterator[tuple[EngineProcess, Callable[[], None], Board]]:
    """An engine in this process with its market open, and what takes its outcomes away."""
    board, inputs, outcomes = Board(), Ring(CONTEXT), Ring(CONTEXT)
    process, said = kind(shard(folder), board, inputs.receiver(), outcomes.sender()), outcomes.receiver()

    def drain() -> None:
        while said.next() is not None:
            pass

    for record in opening():
        process._take([encode_input(record)])
        drain()
    yield process, drain, board
    process.journal.close()
    for shared in (board, inputs, outcomes):
        shared.unlink()


def taken(process: EngineProcess, drain: Callable[[], None], messages: list[bytes], size: int) -> None:
    for at in range(0, len(messages), size):
        process._timed(messages[at : at + size])
        drain()
    process._beat()


def test_what_counts_durations_runs_once_for_a_batch_whatever_it_holds(tmp_path: Path) -> None:
    one, *many = (encode_input(record) for record in mixed(1 + BATCH, seed=2))
    with at_work(EngineProcess, tmp_path) as (process, drain, _):
        few = lines_run(lambda: process._timed([one]), EngineProcess._timed)
        drain()

        assert few == lines_run(lambda: process._timed(many), EngineProcess._timed)
        assert few.total() > 0


@pytest.mark.parametrize("size", [1, BATCH])
def test_counting_durations_leaves_no_memory_behind(tmp_path: Path, size: int) -> None:
    messages = [encode_input(record) for record in mixed(2 * ORDERS, seed=2)]
    folders = itertools.count()

    def left(kind: type[EngineProcess], orders: int) -> int:
        with at_work(kind, tmp_path / f"{next(folders)}") as (process, drain, _):
            return blocks_left(lambda: taken(process, drain, messages[:orders], size))

    left(EngineProcess, 2 * ORDERS)  # what is kept for good
    for orders in (ORDERS, 2 * ORDERS):
        assert abs(left(EngineProcess, orders) - left(Unwatched, orders)) <= MORE_BLOCKS


def test_each_input_is_counted_where_its_duration_belongs(tmp_path: Path) -> None:
    messages = [encode_input(record) for record in mixed(ORDERS, seed=2)]
    with at_work(EngineProcess, tmp_path) as (process, drain, board):
        taken(process, drain, messages, 100)
        counts, busy_ns = board.read(Field.ENGINE_DURATIONS, DURATIONS), board.get(Field.ENGINE_BUSY_NS)

    assert ORDERS == sum(counts)
    # Each is at least the lower bound of its bucket, and less than twice that.
    low = sum(count << 9 + bucket for bucket, count in enumerate(counts) if bucket)
    assert low <= busy_ns
    assert busy_ns < 2 * low + (counts[0] << 10) or counts[-1]


def test_a_duration_that_is_short_or_long_has_a_place() -> None:
    places = [BUCKETS[took.bit_length()] for took in (0, 1023, 1024, 2047, 2048, 2**29 - 1, 2**29, 2**63)]

    assert [0, 0, 1, 1, 2, DURATIONS - 2, DURATIONS - 1, DURATIONS - 1] == places
