"""Drills of the trading service, small, with a guard of the engine broken. Its journal is spoilt then: each has a platform of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from drill_platforms import own_platform

from conductor.capstone import Patience
from conductor.capstones.trading import evidence
from conductor.harness.runner import Played
from conductor.laptop.runtime import LocalRuntime

ORDERS = 400
PATIENCE = Patience(total_seconds=120, quiet_seconds=15)

Mutate = Callable[..., None]
Plays = Callable[..., Played]


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[LocalRuntime]:
    """A platform of its own."""
    with own_platform("trading", "valkey", tmp_path / "platform") as running:
        yield running


def test_an_acknowledgement_before_the_journal_is_caught(
    play: Plays, mutate: Mutate, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is lost never comes to the positions.
    monkeypatch.setattr(evidence, "APPLIED_SECONDS", 2.0)
    mutate("answer_before_journal", pools=["engine"])

    played = play("engine-kill", ORDERS, patience=PATIENCE)

    assert any(finding.fault == "lost" for finding in played.findings)


def test_an_engine_beside_one_that_stands_still_is_caught(
    play: Plays, mutate: Mutate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "APPLIED_SECONDS", 2.0)
    mutate("two_engines", pools=["engine"])

    played = play("engine-stall", ORDERS, patience=PATIENCE)

    assert "was left beside a new one" in (played.failure or "")
