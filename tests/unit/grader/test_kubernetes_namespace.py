"""A grading's namespace, with a program that stands in for kubectl: it fails where it is told to, and writes down what it was told."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from grader.adapters.kubernetes.namespace import OWNER, Namespace
from grader.errors import Unable

KUBECTL = """\
#!/bin/sh
echo "$*" >>"{folder}/told"
case "$*" in
*" {fails} "*) echo "no {fails} today" >&2; exit 1 ;;
"get namespaces"*) cat "{folder}/namespaces" ;;
*"get pods"*) echo '{{"items": [{{"metadata": {{"name": "door-1"}}}}]}}' ;;
*exec*) echo "kept in" ;;
esac
"""
Refused = Callable[..., list[str]]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Make a namespace beside those of these owners, which fails at one call; what was deleted."""

    def made(fails: str, owners: dict[str, str]) -> list[str]:
        items = [{"metadata": {"name": name, "annotations": {OWNER: owner}}} for name, owner in owners.items()]
        (tmp_path / "namespaces").write_text(json.dumps({"items": items}))
        program = tmp_path / "kubectl"
        program.write_text(KUBECTL.format(folder=tmp_path, fails=fails))
        program.chmod(0o700)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        with pytest.raises(Unable, match=f"no {fails} today"):
            Namespace("dev")
        told = [line.split() for line in (tmp_path / "told").read_text().splitlines()]
        return [words[2] for words in told if words[:2] == ["delete", "namespace"]]

    return made


@pytest.mark.parametrize("fails", ["create", "apply", "rollout", "pods", "service", "exec"])
def test_a_namespace_that_cannot_be_used_is_taken_away(refused: Refused, fails: str) -> None:
    (deleted,) = refused(fails, {})

    assert deleted.startswith("capstone-lab-")


def test_those_of_graders_that_were_killed_are_removed_and_no_others(refused: Refused) -> None:
    here, pid, began = socket.gethostname(), os.getpid(), psutil.Process().create_time()

    *deleted, own = refused(
        "create",
        {
            "mine": f"{here} {pid} {began:.0f}",
            "mine-before-the-clock-was-set": f"{here} {pid} {began + 2:.0f}",
            "of-an-earlier-process-with-this-pid": f"{here} {pid} {began - 3600:.0f}",
            "of-no-process": f"{here} {2**22 + 1} {began:.0f}",
            "of-another-machine": f"elsewhere {2**22 + 1} {began:.0f}",
        },
    )

    assert ["of-an-earlier-process-with-this-pid", "of-no-process"] == deleted
    assert own.startswith("capstone-lab-")
