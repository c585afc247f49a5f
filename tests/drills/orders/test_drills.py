"""Every drill, small: on each broker what happens to the broker or to its consumers, the others on either (full size: all on each)."""

from collections.abc import Callable

import pytest

from conductor.commands.drill import known
from conductor.harness.runner import Played

ORDERS = 60
ON_EACH_BROKER = ("broker-restart", "worker-kill")
ON_RABBITMQ = (
    *ON_EACH_BROKER,
    *(
        "duplicate-delivery",
        "hostile-hour",
        "mixed-versions",
        "point-in-time-restore",
        "poison-message",
        "stuck-consumer",
    ),
)
ON_VALKEY = (
    *ON_EACH_BROKER,
    *("broker-wipe", "payment-outage", "postgres-restart", "redis-restart", "rolling-deploy"),
)
PLAYED = [("rabbitmq", name) for name in ON_RABBITMQ] + [("valkey", name) for name in ON_VALKEY]


def test_every_drill_is_played_here() -> None:
    local = {name for name, drill in known("orders").items() if "local" in drill.runtimes}
    assert local == {name for _, name in PLAYED}


# Of the scope of `runtime`: with parameters that are not fixtures beside it, pytest would make every test a platform of its own.
@pytest.mark.parametrize(("runtime", "name"), PLAYED, indirect=["runtime"], scope="session")
def test_nothing_is_lost_or_doubled(play: Callable[..., Played], name: str) -> None:
    played = play(name, ORDERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)
