"""The folder of a grading goes with it, or with the next one, and a grading without room is refused."""

import fcntl
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from grader.adapters import scratch
from grader.errors import Unable

LONG_AGO = (1, 1)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def made_long_ago(folder: Path) -> Path:
    (folder / "workspace").mkdir(parents=True)
    os.utime(folder, LONG_AGO)
    return folder


def test_what_a_killed_grading_left_goes_with_the_next_one(temporary: Path) -> None:
    left = made_long_ago(temporary / "capstone-grading-killed")
    running = made_long_ago(temporary / "capstone-grading-runs")
    other = made_long_ago(temporary / "somebody-else")
    held = os.open(running, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)

    with scratch.folder() as mine:
        seen = {path.name for path in temporary.iterdir()}
    os.close(held)

    assert {running.name, other.name, mine.name} == seen
    assert not left.exists()
    assert not mine.exists()


def test_a_folder_that_is_just_being_made_is_left_alone(temporary: Path) -> None:
    (temporary / "capstone-grading-new").mkdir()

    with scratch.folder():
        assert (temporary / "capstone-grading-new").exists()


def test_a_disk_without_room_is_named(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2**30, 2**30, 3 * 2**20))

    with pytest.raises(Unable, match=rf"no room to grade: {temporary} has 3 MiB left, 16 are needed"), scratch.folder():
        pass
    assert [] == list(temporary.iterdir())
