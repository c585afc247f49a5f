"""Drills of the trading service, small, with three guards broken at once on one platform, of which each drill meets one."""

from collections.abc import Callable, Iterator

import pytest
from drill_platforms import MUTANTS, own_platform

from conductor.capstone import Patience
from conductor.capstones.trading import evidence
from conductor.harness.runner import Played
from conductor.laptop.runtime import LocalRuntime

ORDERS = 400
PATIENCE = Patience(total_seconds=120, quiet_seconds=5)

Plays = Callable[..., Played]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRuntime]:
    """All its processes have them broken, also after the rolls of a drill."""
    broken = {"PYTHONPATH": str(MUTANTS), "MUTANT": "gaps_skipped,taken_when_full,answer_before_sync"}
    with own_platform("trading", "valkey", tmp_path_factory.mktemp("broken") / "platform", **broken) as running:
        yield running


def lost(played: Played) -> list[str]:
    return [finding.why for finding in played.findings if finding.fault == "lost"]


def test_a_reader_that_skips_gaps_is_caught(play: Plays) -> None:
    played = play("feed-gap", ORDERS, patience=PATIENCE)

    assert "candles differ" in (played.failure or "")
    assert () == played.findings


@pytest.mark.usefixtures("mountable")
def test_an_order_that_is_taken_on_a_full_disk_is_caught(play: Plays) -> None:
    played = play("disk-full", ORDERS, patience=PATIENCE)

    assert "the journal had room for" in (played.failure or "")
    assert {"it was acknowledged, and the journal does not have it"} == set(lost(played))


# The last one, because the journal is spoilt then.
@pytest.mark.usefixtures("mountable")
def test_an_acknowledgement_before_the_sync_is_caught(play: Plays, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is lost never comes to the positions.
    monkeypatch.setattr(evidence, "APPLIED_SECONDS", 2.0)

    # The journal may be damaged by it, and then nobody answers any more.
    played = play("power-loss", ORDERS, patience=Patience(total_seconds=45, quiet_seconds=5))

    assert "it was acknowledged, and the journal does not have it" in lost(played)
