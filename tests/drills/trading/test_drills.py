"""Drills of the trading service, small: a sound engine keeps what it acknowledged."""

from collections.abc import Callable

import pytest

from conductor.harness.runner import Played

pytestmark = pytest.mark.parametrize("runtime", ["valkey"], indirect=True)

ORDERS = 400


@pytest.mark.parametrize(
    "name", ["engine-kill", "engine-stall", "owner-kill", "kill-switch", "limit-storm", "feed-gap"]
)
def test_nothing_acknowledged_is_lost_and_nothing_executes_twice(play: Callable[..., Played], name: str) -> None:
    played = play(name, ORDERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)


@pytest.mark.usefixtures("mountable")
@pytest.mark.parametrize("name", ["disk-full", "power-loss"])
def test_a_volume_that_is_full_or_loses_its_power_costs_nothing_acknowledged(
    play: Callable[..., Played], name: str
) -> None:
    played = play(name, ORDERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)
