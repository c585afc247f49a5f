"""A restore that was cut short: at whatever point, the database is afterwards the old one or the restored one, whole."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from conductor.laptop import interrupted_restore, restore_points
from conductor.laptop.restore_points import RestorePoint
from conductor.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    made = RunDirectory(tmp_path / "run")
    made.make()
    return made


@pytest.fixture
def data(run: RunDirectory) -> Path:
    folder = run.data / "postgres"
    folder.mkdir()
    (folder / "which").write_text("old")
    return folder


def which(data: Path) -> str:
    return (data / "which").read_text()


def restored(data: Path) -> None:
    data.mkdir()
    (data / "which").write_text("restored")


@pytest.mark.parametrize("reached", ["noted", "moved", "half unpacked", "half put back"])
def test_what_was_there_is_there_again(run: RunDirectory, data: Path, reached: str) -> None:
    kept = data.with_name("postgres.before-1")
    interrupted_restore.begin(run, kept)
    if reached != "noted":
        data.rename(kept)
    if reached == "half unpacked":
        restored(data)

    assert interrupted_restore.undo(run, data)

    assert ("old", False, False) == (which(data), kept.exists(), run.restore_begun.exists())


def test_where_there_was_nothing_there_is_nothing_again(run: RunDirectory) -> None:
    data = run.data / "postgres"
    interrupted_restore.begin(run, None)
    restored(data)

    assert interrupted_restore.undo(run, data)
    assert not data.exists()


def test_a_restore_that_was_written_down_is_finished(run: RunDirectory, data: Path) -> None:
    kept = data.with_name("postgres.before-1")
    interrupted_restore.begin(run, kept)
    data.rename(kept)
    restored(data)
    now = datetime.now(UTC)
    restore_points.save(RestorePoint(now, now, "base", kept), run)

    assert not interrupted_restore.undo(run, data)
    assert ("restored", False) == (which(data), run.restore_begun.exists())


def test_an_earlier_restore_does_not_pass_for_this_one(run: RunDirectory, data: Path) -> None:
    now = datetime.now(UTC)
    restore_points.save(RestorePoint(now, now, "base", None), run)
    interrupted_restore.begin(run, data.with_name("postgres.before-2"))
    data.rename(data.with_name("postgres.before-2"))

    assert interrupted_restore.undo(run, data)
    assert "old" == which(data)


def test_without_a_note_nothing_happens(run: RunDirectory, data: Path) -> None:
    assert not interrupted_restore.undo(run, data)
    assert "old" == which(data)
