"""However a replay is interrupted, a line is one order."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from conductor.capstones.orders import replay
from conductor.capstones.orders.purchase_file import BadRow, Row
from conductor.capstones.orders.replay import GaveUp, Replay
from conductor.errors import ApiRefused, ApiUnreachable
from conductor.history import Journal

ROWS = [Row(line, "ann", None, 1, 100 * line) for line in range(1, 21)]


class Door:
    """An API that keeps one order a key, and answers what the script of a key says first."""

    def __init__(self, script: Mapping[str, list[Exception]] | None = None) -> None:
        self.script = {key: list(errors) for key, errors in (script or {}).items()}
        self.orders: dict[str, int] = {}
        self.requests = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def place(self, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.requests += 1
        if errors := self.script.get(key):
            raise errors.pop(0)
        return {"order_id": key, "total_minor": self.orders.setdefault(key, body["lines"][0]["amount_minor"])}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay that asks again at once."""
    monkeypatch.setattr(replay, "FIRST_WAIT_SECONDS", 0.001)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "replay.jsonl"


def run(door: Door, file: Path, rows: list[Row | BadRow] | None = None, **options: Any) -> replay.Progress:
    log = Journal(file)
    try:
        return Replay(lambda: door, log, prefix="f-", sku="CD", **options).run(rows or list(ROWS))  # type: ignore[arg-type, return-value]
    finally:
        log.close()


def test_every_row_becomes_one_order(file: Path) -> None:
    door = Door()

    done = run(door, file)

    assert (done.accepted, done.accepted_minor, len(door.orders)) == (20, 21_000, 20)


def test_a_second_run_asks_for_nothing_and_counts_the_same(file: Path) -> None:
    run(Door(), file)
    again = Door()

    done = run(again, file)

    assert (again.requests, done.resumed, done.accepted_minor) == (0, 20, 21_000)


def test_without_its_journal_a_second_run_makes_no_second_order(file: Path) -> None:
    door = Door()
    run(door, file)
    file.unlink()

    done = run(door, file)

    assert (len(door.orders), done.accepted_minor) == (20, 21_000)


def test_a_backlog_and_a_lost_answer_are_waited_for(file: Path) -> None:
    busy = ApiRefused(503, "too much is open", retry_after_seconds=0.01)
    door = Door({"f-3": [busy, busy], "f-4": [ApiUnreachable("reset")]})

    done = run(door, file)

    assert (done.accepted, done.refused, door.requests) == (20, [], 23)


def test_a_row_that_the_api_refuses_is_reported_and_the_others_go_on(file: Path) -> None:
    door = Door({"f-3": [ApiRefused(422, "quantity: 1 to 10000 pieces")]})

    done = run(door, file)

    assert (done.accepted, [row.line for row in done.refused]) == (19, [3])


def test_a_bad_row_is_never_sent(file: Path) -> None:
    door = Door()

    done = run(door, file, [BadRow(1, "the amount is zero", "0.00"), ROWS[1]])

    assert (door.requests, [row.line for row in done.refused], done.done) == (1, [1], 2)


def test_a_wrong_token_ends_the_run(file: Path) -> None:
    with pytest.raises(ApiRefused, match="401"):
        run(Door({"f-3": [ApiRefused(401, "no such token")]}), file)


def test_patience_ends(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "PATIENCE_SECONDS", -1.0)

    with pytest.raises(GaveUp, match="line 3"):
        run(Door({"f-3": [ApiUnreachable("reset")]}), file)
