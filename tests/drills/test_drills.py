"""Every drill, small: on each broker where the broker matters, on RabbitMQ where it does not."""

from collections.abc import Callable

import pytest

from conductor import drills
from conductor.rehearsal import Played
from conductor.runtimes.local import LocalRuntime

ORDERS = 60
ON_EACH_BROKER = ("broker-restart", "broker-wipe", "rolling-deploy", "worker-kill")
ON_RABBITMQ = (
    "duplicate-delivery",
    "mixed-versions",
    "payment-outage",
    "point-in-time-restore",
    "poison-message",
    "postgres-restart",
    "redis-restart",
    "stuck-consumer",
)

on_rabbitmq = pytest.mark.parametrize("runtime", ["rabbitmq"], indirect=True)


def test_every_drill_is_played_here() -> None:
    local = {name for name, drill in drills.catalogue().items() if "local" in drill.runtimes}
    assert local == {*ON_EACH_BROKER, *ON_RABBITMQ}


@pytest.mark.parametrize("name", ON_EACH_BROKER)
def test_nothing_is_lost_or_doubled(play: Callable[..., Played], name: str) -> None:
    played = play(name, ORDERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)


@on_rabbitmq
@pytest.mark.parametrize("name", ON_RABBITMQ)
def test_nothing_is_lost_or_doubled_on_rabbitmq(play: Callable[..., Played], runtime: LocalRuntime, name: str) -> None:
    played = play(name, ORDERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)
