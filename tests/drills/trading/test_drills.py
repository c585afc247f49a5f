"""Drills of the trading service, small: a sound engine keeps what it acknowledged."""

from collections.abc import Callable

import pytest

from conductor.harness.runner import Played

pytestmark = pytest.mark.parametrize("runtime", ["valkey"], indirect=True)

ORDERS = 400


@pytest.mark.parametrize("name", ["engine-kill", "engine-stall", "owner-kill", "kill-switch", "limit-storm"])
def test_nothing_acknowledged_is_lost_and_nothing_executes_twice(play: Callable[..., Played], name: str) -> None:
    played = play(name, ORDERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)
