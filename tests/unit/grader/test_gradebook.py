"""The gradebook is only ever appended to, and a change around that is noticed."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grader.adapters.gradebook import Event, Gradebook
from grader.errors import GradebookBroken


@pytest.fixture
def path(tmp_path: Path) -> Path:
    book = Gradebook(tmp_path / "work" / "gradebook.sqlite")
    for number in range(3):
        book.append("graded", "first-app", {"points": number})
    return tmp_path / "work" / "gradebook.sqlite"


def test_events_are_read_as_they_were_appended(path: Path) -> None:
    Gradebook(path).append("hint", "other", {"check": "ü"})

    events = Gradebook(path).events()
    assert [("graded", {"points": number}) for number in range(3)] == [(one.kind, one.body) for one in events[:3]]
    assert [("other", {"check": "ü"})] == [(one.lab, one.body) for one in Gradebook(path).events("other")]


@pytest.mark.parametrize("statement", ["UPDATE events SET body = '{}'", "DELETE FROM events"])
def test_the_file_refuses_changes(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as database, pytest.raises(sqlite3.IntegrityError, match="only appended"):
        database.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE events SET body = '{"points": 10}' WHERE seq = 2""",
        "UPDATE events SET at = '2020-01-01' WHERE seq = 3",
        "DELETE FROM events WHERE seq = 1",
        "DELETE FROM events WHERE seq = 2",
    ],
)
def test_a_change_around_the_triggers_breaks_the_chain(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as database:
        database.executescript(f"DROP TRIGGER no_update; DROP TRIGGER no_delete; {statement};")

    for use in (Gradebook(path).events, lambda: Gradebook(path).append("graded", "first-app", {})):
        with pytest.raises(GradebookBroken, match=r"gradebook.sqlite: event \d is not what was written"):
            use()


def test_what_is_no_gradebook_is_named(tmp_path: Path) -> None:
    (tmp_path / "gradebook.sqlite").write_text(
        "no database at all, and longer than a header of SQLite is, which has 100 bytes" * 9
    )

    with pytest.raises(GradebookBroken, match=r"gradebook.sqlite: file is not a database"):
        Gradebook(tmp_path / "gradebook.sqlite")


def test_of_two_at_once_only_one_is_allowed_what_is_allowed_once(path: Path) -> None:
    def once(events: list[Event]) -> None:
        if any(event.kind == "begun" for event in events):
            raise ValueError("begun already")

    def begin(_: int) -> bool:
        try:
            Gradebook(path).append("begun", "final", {}, once)
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert 1 == sum(threads.map(begin, range(8)))
    assert 4 == len(Gradebook(path).events())
