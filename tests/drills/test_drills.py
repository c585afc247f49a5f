"""Every drill, small: on each broker what happens to the broker or to its consumers, the others on either (full size: all on each)."""

from collections.abc import Callable

import pytest

from conductor import drills
from conductor.rehearsal import Played
from conductor.runtimes.local import LocalRuntime

ORDERS = 60
ON_EACH_BROKER = ("broker-restart", "worker-kill")
ON_RABBITMQ = ("duplicate-delivery", "mixed-versions", "point-in-time-restore", "poison-message", "stuck-consumer")
ON_VALKEY = ("broker-wipe", "payment-outage", "postgres-restart", "redis-restart", "rolling-deploy")


def test_every_drill_is_played_here() -> None:
    local = {name for name, drill in drills.catalogue().items() if "local" in drill.runtimes}
    assert local == {*ON_EACH_BROKER, *ON_RABBITMQ, *ON_VALKEY}


@pytest.mark.parametrize("name", ON_EACH_BROKER)
def test_nothing_is_lost_or_doubled(play: Callable[..., Played], name: str) -> None:
    played = play(name, ORDERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)


@pytest.mark.parametrize("runtime", ["rabbitmq"], indirect=True)
@pytest.mark.parametrize("name", ON_RABBITMQ)
def test_nothing_is_lost_or_doubled_on_rabbitmq(play: Callable[..., Played], runtime: LocalRuntime, name: str) -> None:
    played = play(name, ORDERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)


@pytest.mark.parametrize("runtime", ["valkey"], indirect=True)
@pytest.mark.parametrize("name", ON_VALKEY)
def test_nothing_is_lost_or_doubled_on_valkey(play: Callable[..., Played], runtime: LocalRuntime, name: str) -> None:
    played = play(name, ORDERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)
