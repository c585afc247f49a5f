"""A grading's namespace, with a program that stands in for kubectl: it fails where it is told to, and writes down what it was told."""

import json
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from grader.adapters.kubernetes import namespace
from grader.adapters.kubernetes.namespace import MOST_AGE, OWNER, Namespace
from grader.catalog import MOST_CHECKS, MOST_SECONDS
from grader.clock import MOST_STANDING_SECONDS
from grader.errors import Unable
from grader.grading import GRACE_SECONDS

KUBECTL = r"""#!/bin/sh
echo "$*" >>"{folder}/told"
case "$*" in
*" {fails} "*) echo "no {fails} today" >&2; exit 1 ;;
*create*) sed -n 's/.*"name": "\(capstone-lab-[0-9a-f]*\)".*/\1/p' >"{folder}/own" ;;
"get namespaces"*) sed "s/OWN/$(cat "{folder}/own")/" "{folder}/namespaces" ;;
*"get pods"*) echo '{{"items": [{{"metadata": {{"name": "door-1"}}}}]}}' ;;
*exec*) echo "kept in" ;;
esac
"""
Refused = Callable[..., list[str]]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Make a namespace beside those of these owners, made so many seconds before it, which fails at one call; what was deleted."""

    def made(fails: str, owners: dict[str, tuple[str, float]]) -> list[str]:
        by = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
        items = [
            {
                "metadata": {
                    "name": name,
                    "creationTimestamp": (by - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "annotations": {OWNER: owner} if owner else {},
                }
            }
            for name, (owner, age) in {**owners, "OWN": (f"{socket.gethostname()} {os.getpid()} 0", 0)}.items()
        ]
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
        "apply",
        {
            "mine": (f"{here} {pid} {began:.0f}", 60),
            "mine-before-the-clock-was-set": (f"{here} {pid} {began + 2:.0f}", 60),
            "of-an-earlier-process-with-this-pid": (f"{here} {pid} {began - 3600:.0f}", 60),
            "of-no-process": (f"{here} {2**22 + 1} {began:.0f}", 60),
            "of-another-machine": (f"elsewhere {2**22 + 1} {began:.0f}", 60),
            "of-nobody-who-said-so": ("", 60),
        },
    )

    assert ["of-an-earlier-process-with-this-pid", "of-no-process"] == deleted
    assert own.startswith("capstone-lab-")


def test_no_grading_is_so_old_that_it_is_taken_for_one_of_a_machine_that_is_gone() -> None:
    check = MOST_SECONDS + MOST_STANDING_SECONDS + 2 * GRACE_SECONDS

    assert MOST_AGE.total_seconds() > MOST_CHECKS * check


def test_those_of_machines_that_are_gone_are_removed_once_no_grading_can_be_so_old(refused: Refused) -> None:
    most = MOST_AGE.total_seconds()

    *deleted, own = refused(
        "apply",
        {
            "of-a-machine-that-may-still-grade": ("elsewhere 7 0", most - 1),
            "of-a-machine-that-is-gone": ("elsewhere 7 0", most + 1),
            "of-nobody-who-said-so": ("", most + 1),
        },
    )

    assert ["of-a-machine-that-is-gone", "of-nobody-who-said-so"] == deleted
    assert own.startswith("capstone-lab-")


def test_a_cluster_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "kubectl"
    program.write_text('#!/bin/sh\ncase "$*" in *create*) exec sleep 60 ;; esac\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(namespace, "CALL_SECONDS", 0.3)

    with pytest.raises(Unable, match=r"kubectl --namespace capstone-lab-[0-9a-f]+ create … did not end within 0\.3 s"):
        Namespace("dev")
