"""The volume run of the bench proves what it says, on a small scale."""

import json

import pytest
from loadtests.trading import bench


def test_messages_are_proved_from_the_gateway_to_the_journal(capsys: pytest.CaptureFixture[str]) -> None:
    status = bench.main(["--messages", "20000"])

    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (0, True) == (status, document["sound"]), document
    assert document["messages"] >= 20_000
    assert document["messages_per_day"] > 10_000_000
    assert document["start"]["replayed"] > 0
