"""What one process writes another one sees whole: no zero and no part of a number, however the two run beside each other."""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trading.adapters.board import Board, Field
from trading.adapters.kept_numbers import KeptNumbers

CONTEXT = multiprocessing.get_context("spawn")
SECONDS = 0.4
NUMBERS = (0x0101010101010101, 0xFEFEFEFEFEFEFEFE)
"""No byte of the one is in the other."""


def write_board(board: Board, folder: Path) -> None:
    _repeat(lambda number: board.set(Field.GATEWAY_BEAT, number))


def write_kept(board: Board, folder: Path) -> None:
    kept = KeptNumbers(folder / "kept", 2)
    _repeat(lambda number: kept.__setitem__(1, number))


def _repeat(write: Callable[[int], None]) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        for number in NUMBERS:
            write(number)


@pytest.mark.parametrize("writer", [write_board, write_kept], ids=["board", "kept numbers"])
def test_a_number_is_seen_whole(tmp_path: Path, writer: Callable[[Board, Path], None]) -> None:
    board, kept = Board(), KeptNumbers(tmp_path / "kept", 2, initial=NUMBERS[0])
    board.set(Field.GATEWAY_BEAT, NUMBERS[0])
    writing = CONTEXT.Process(target=writer, args=(board, tmp_path))
    writing.start()
    seen: set[int] = set()
    while writing.is_alive():
        for _ in range(2000):
            seen.add(board.get(Field.GATEWAY_BEAT) if writer is write_board else kept[1])
    kept.close()
    board.unlink()

    assert (0, set(NUMBERS)) == (writing.exitcode, seen)
