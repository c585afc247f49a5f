"""A full disk costs a learner nothing: each command names it, and goes as always once there is room."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("on_a_full_disk.py")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("disk")
    own = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--"]
    ended = subprocess.run(
        [*own, sys.executable, str(SCRIPT), str(folder)], capture_output=True, text=True, check=False
    )
    assert ended.stdout, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("start-full", "async-or-not cannot be written: No space left on device"),
        ("check-full", "gradebook.sqlite: database or disk is full"),
        ("reset-full", "async-or-not cannot be written: No space left on device"),
    ],
)
def test_a_command_names_the_full_disk(said: dict[str, Any], command: str, reason: str) -> None:
    assert (1, None) == (said[command]["status"], said[command]["document"])
    assert reason in said[command]["stderr"]


def test_the_next_commands_are_as_any_others(said: dict[str, Any]) -> None:
    assert [] == said["start-full"]["left"]
    assert 0 == said["start"]["status"]
    assert (0, 8, True) == (
        said["check"]["status"],
        said["check"]["document"]["points"],
        said["check"]["document"]["passed"],
    )
    assert ["async-or-not", "gradebook.sqlite"] == said["check"]["left"]
