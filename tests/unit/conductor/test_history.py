"""What is written into a journal is read again, whoever was cut short while writing."""

from pathlib import Path

from conductor import history
from conductor.capstones.orders import promises
from conductor.capstones.orders.promises import Accepted, Intent, Refused
from conductor.history import Journal, Kill

LINES = (
    Intent(1.0, "k-1", "c-1", {"MUG": 1}),
    Accepted(2.0, "k-1", "o-1", 1250, 2),
    Intent(3.0, "k-2", "c-2", {"MUG": 1}),
    Refused(4.0, "k-2", None, "gave up"),
    Kill(6.0, "saga", "child", (7,), "after", ("o-1/reserve_stock",), 20),
    Kill(5.0, "api", "tree", (8, 9)),
)


def written(path: Path) -> Path:
    book = Journal(path)
    for line in LINES:
        book.write(line)
    book.close()
    return path


def test_every_line_is_read_as_it_was_written(tmp_path: Path) -> None:
    told = promises.read([written(tmp_path / "journals" / "a.jsonl")])

    assert {"k-1": LINES[0], "k-2": LINES[2]} == told.intents
    assert {"k-1": LINES[1]} == told.accepted
    assert {"k-2": LINES[3]} == told.refused


def test_kills_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    told = promises.read([written(tmp_path / "a.jsonl")])

    assert (LINES[5], LINES[4]) == told.kills


def test_a_line_cut_short_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl")
    path.write_text(path.read_text() + '{"line": "accepted", "at": 7')

    assert {"k-1": LINES[1]} == promises.read([path]).accepted


def test_a_second_writer_appends(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl")

    assert 2 * len(LINES) == len(written(path).read_text().splitlines())


def test_lines_that_nobody_asked_for_are_left_out(tmp_path: Path) -> None:
    assert [LINES[4], LINES[5]] == history.read([written(tmp_path / "a.jsonl")], history.FAULTS)
