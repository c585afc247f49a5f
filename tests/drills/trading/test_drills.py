"""Drills of the trading service, small: a sound engine keeps what it acknowledged, and one with a broken guard does not."""

from collections.abc import Callable

import pytest

from conductor.capstone import Patience
from conductor.capstones.trading import evidence
from conductor.harness.runner import Played

pytestmark = pytest.mark.parametrize("runtime", ["valkey"], indirect=True)

ORDERS = 400
PATIENCE = Patience(total_seconds=120, quiet_seconds=15)

Mutate = Callable[..., None]
Plays = Callable[..., Played]


@pytest.mark.parametrize("name", ["engine-kill", "engine-stall", "owner-kill"])
def test_nothing_acknowledged_is_lost_and_nothing_executes_twice(play: Plays, name: str) -> None:
    played = play(name, ORDERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)


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
