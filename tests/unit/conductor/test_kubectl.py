"""Calling other programs."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conductor.cluster import kubectl
from conductor.errors import ClusterFailed
from servers import wait_until


def test_what_a_program_is_given_it_reads_and_what_it_prints_comes_back() -> None:
    assert "given" == kubectl.run(["cat"], given="given")


def test_one_that_fails_is_an_error_with_what_it_said() -> None:
    with pytest.raises(ClusterFailed, match="ended with 3: no such release"):
        kubectl.run(["sh", "-c", "echo no such release >&2; exit 3"])


def test_one_that_is_not_there_is_named() -> None:
    with pytest.raises(ClusterFailed, match="kubectx is not installed"):
        kubectl.run(["kubectx"])


def test_one_that_does_not_end_in_time_is_ended_and_named() -> None:
    with pytest.raises(ClusterFailed, match=r"sleep 60 … did not end within 0\.2 s"):
        kubectl.run(["sleep", "60"], within_seconds=0.2)


def test_a_program_is_told_to_end_and_waited_for_when_this_one_is_interrupted(tmp_path: Path) -> None:
    script = "trap 'sleep 0.2; touch ended; exit 1' INT; touch started; while :; do sleep 0.05; done"
    # Who starts this in the background may have it ignore the signal, which a shell then could not trap.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heard}; from conductor.cluster import kubectl; kubectl.run(['sh', '-c', {script!r}])"
    caller = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_until((tmp_path / "started").exists, what="a program that runs")

    caller.send_signal(signal.SIGINT)
    caller.wait(20)

    assert (tmp_path / "ended").exists()
