"""The volume run of the bench proves what it says, on a small scale, and leaves nothing when it is told to end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from loadtests.trading import bench


def test_messages_are_proved_from_the_gateway_to_the_journal(capsys: pytest.CaptureFixture[str]) -> None:
    status = bench.main(["--messages", "20000"])

    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (0, True) == (status, document["sound"]), document
    assert document["messages"] >= 20_000
    assert document["messages_per_day"] > 10_000_000
    assert document["start"]["replayed"] > 0


def test_a_run_that_is_told_to_end_leaves_no_journal(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loadtests.bench", "trading", "--messages", "1000000"]
    with subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        assert run.stdout
        assert " messages, " in run.stdout.readline()
        assert list(tmp_path.glob("trading-volume-*/journal"))
        run.terminate()

    assert 143 == run.returncode
    assert not list(tmp_path.glob("trading-volume-*"))
