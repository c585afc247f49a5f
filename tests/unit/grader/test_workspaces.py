"""Workspaces appear and go at once, and only plain files of theirs are graded."""

import functools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from grader.adapters import workspaces
from grader.errors import WorkspaceError


@pytest.fixture
def starter(tmp_path: Path) -> Path:
    (tmp_path / "starter" / "inner").mkdir(parents=True)
    (tmp_path / "starter" / "app.py").write_text("begin")
    (tmp_path / "starter" / "inner" / "data").write_text("1")
    (tmp_path / "README.md").write_text("# Read me")
    return tmp_path / "starter"


@pytest.fixture
def workspace(starter: Path, tmp_path: Path) -> Path:
    workspaces.start([starter], tmp_path / "README.md", tmp_path / "work" / "lab")
    return tmp_path / "work" / "lab"


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_workspace_holds_the_starting_files_and_what_to_do(workspace: Path) -> None:
    assert ["README.md", "app.py", "inner", "inner/data"] == names(workspace)


def test_later_starting_files_take_the_place_of_earlier_ones(starter: Path, tmp_path: Path) -> None:
    (tmp_path / "fault" / "inner").mkdir(parents=True)
    (tmp_path / "fault" / "inner" / "data").write_text("broken")
    workspaces.start([starter, tmp_path / "fault"], tmp_path / "README.md", tmp_path / "work" / "lab")

    assert ("begin", "broken") == tuple(
        (tmp_path / "work" / "lab" / name).read_text() for name in ("app.py", "inner/data")
    )


def test_one_that_is_there_is_not_written_over(starter: Path, workspace: Path, tmp_path: Path) -> None:
    (workspace / "app.py").write_text("my work")

    with pytest.raises(WorkspaceError, match="is there already"):
        workspaces.start([starter], tmp_path / "README.md", workspace)
    assert "my work" == (workspace / "app.py").read_text()


def test_a_reset_keeps_what_was_there_each_time(starter: Path, workspace: Path, tmp_path: Path) -> None:
    kept = []
    for text in ("first", "second"):
        (workspace / "app.py").write_text(text)
        kept.append(workspaces.reset([starter], tmp_path / "README.md", workspace))

    assert ["first", "second"] == [path and (path / "app.py").read_text() for path in kept]
    assert "begin" == (workspace / "app.py").read_text()


def test_what_a_killed_command_left_is_removed_by_the_next(starter: Path, tmp_path: Path) -> None:
    (tmp_path / "work" / ".making-old").mkdir(parents=True)

    workspaces.start([starter], tmp_path / "README.md", tmp_path / "work" / "lab")
    assert ["lab"] == [path.name for path in (tmp_path / "work").iterdir()]


def killed(act: Callable[[], object], moment: int) -> bool:
    """Whether a process of its own that does it was killed at its change of the disk of this number, counted from 0."""
    child = os.fork()
    if child == 0:
        left = moment

        def audited(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if event in ("os.mkdir", "os.rename", "os.chmod", "os.utime") or (
                event == "open" and arguments[2] & os.O_WRONLY
            ):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(audited)
        act()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("act", [workspaces.start, workspaces.reset])
def test_one_that_is_killed_at_any_moment_loses_nothing(
    starter: Path, tmp_path: Path, act: Callable[[Sequence[Path], Path, Path], object]
) -> None:
    readme = tmp_path / "README.md"
    for moment in count():
        work = tmp_path / f"work-{moment}"
        if act is workspaces.reset:
            workspaces.start([starter], readme, work / "lab")
            (work / "lab" / "app.py").write_text("my work")
        ended = not killed(functools.partial(act, [starter], readme, work / "lab"), moment)

        kept = [path.read_text() for path in work.rglob("app.py") if not path.parent.name.startswith(".making-")]
        assert act is workspaces.start or "my work" in kept
        workspaces.reset([starter], readme, work / "lab")
        assert ["README.md", "app.py", "inner", "inner/data"] == names(work / "lab")
        assert "begin" == (work / "lab" / "app.py").read_text()
        assert not list(work.glob(".making-*"))
        if ended:
            break

    assert moment > 6


def test_links_and_devices_are_not_graded(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not yours")
    (workspace / "link").symlink_to(tmp_path / "secret")
    (workspace / "folder").symlink_to(tmp_path)
    os.mkfifo(workspace / "pipe")
    (workspace / "a\nname").write_text("odd")

    left_out = workspaces.copy(workspace, tmp_path / "graded")

    assert ["folder", "link", "pipe"] == left_out
    assert ["README.md", "a\nname", "app.py", "inner", "inner/data"] == names(tmp_path / "graded")


def test_a_workspace_that_is_itself_a_link_is_not_graded(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "lab").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(WorkspaceError, match="is not there"):
        workspaces.copy(tmp_path / "lab", tmp_path / "graded")


def test_folders_of_tools_are_not_graded(workspace: Path, tmp_path: Path) -> None:
    for name in (".git", ".venv", "__pycache__"):
        (workspace / name).mkdir()
        (workspace / name / "file").write_text("x")

    workspaces.copy(workspace, tmp_path / "graded")
    assert ["README.md", "app.py", "inner", "inner/data"] == names(tmp_path / "graded")


def test_too_much_is_refused_with_the_limit(workspace: Path, tmp_path: Path) -> None:
    for number in range(workspaces.MOST_FILES):
        (workspace / f"file-{number}").touch()

    with pytest.raises(WorkspaceError, match="more than 500 files"):
        workspaces.copy(workspace, tmp_path / "graded")


@pytest.mark.parametrize("in_the_way", ["link", "fifo", "folder", "file", "nothing"])
def test_a_file_of_a_check_takes_the_place_of_what_is_there(tmp_path: Path, in_the_way: str) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.write_text("not the learner's")
    folder.mkdir()
    path = folder / "work.py"
    {
        "link": lambda: path.symlink_to(outside),
        "fifo": lambda: os.mkfifo(path),
        "folder": lambda: (path / "inner").mkdir(parents=True),
        "file": lambda: path.write_text("the learner's"),
        "nothing": lambda: None,
    }[in_the_way]()

    placed = workspaces.place(folder, "work.py", "the lab's")

    assert "the lab's" == placed.read_text()
    assert "not the learner's" == outside.read_text()
    assert ["work.py"] == [one.name for one in folder.iterdir()]


@pytest.mark.parametrize("in_the_way", ["link", "fifo", "folder", "file", "nothing"])
def test_a_folder_of_a_check_takes_the_place_of_what_is_no_folder(tmp_path: Path, in_the_way: str) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    path = folder / "shop"
    {
        "link": lambda: path.symlink_to(outside),
        "fifo": lambda: os.mkfifo(path),
        "folder": lambda: path.mkdir(),
        "file": lambda: path.write_text("the learner's"),
        "nothing": lambda: None,
    }[in_the_way]()

    placed = workspaces.place(folder, "shop/work.py", b"the lab's")

    assert "the lab's" == placed.read_text()
    assert [] == list(outside.iterdir())


@pytest.mark.parametrize("name", ["../work.py", "/work.py", "shop/../../work.py", "", "."])
def test_a_file_of_a_check_lies_inside_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not a path inside the folder"):
        workspaces.place(tmp_path, name, "")
