"""What a shard's owner tells other threads while it replaces its children."""

import sys
import threading
from pathlib import Path

import pytest

from trading.adapters.board import Board, Field
from trading.processes.owner import Owner
from trading.processes.settings import ShardSettings

REPLACEMENTS = 1_000


@pytest.fixture
def eager_threads() -> object:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_counts_are_told_while_children_are_replaced_and_never_go_back(tmp_path: Path) -> None:
    owner = Owner(ShardSettings(tmp_path, tmp_path / "sessions.json"))
    told: list[int] = []
    failed: list[BaseException] = []
    over = threading.Event()

    def look() -> None:
        try:
            while not over.is_set():
                told.append(owner.counts().messages_in)
                owner.number(Field.GATEWAY_SESSIONS)
                assert not owner.ready
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failed.append(error)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(REPLACEMENTS):
            board = Board()
            board.set(Field.GATEWAY_MESSAGES_IN, 1)
            owner._board = board
            owner._let_go()
    finally:
        over.set()
        looking.join()

    assert [] == failed
    assert sorted(told) == told
    assert REPLACEMENTS == owner.counts().messages_in
