"""The orders' own drills and what each capstone has to prove, small, each on one broker (full size: all on each).

`worker-kill`, `broker-restart` and `rolling-deploy` are played on every capstone. Any other shared drill is played on one: most of them
here, those below where a capstone of the tests has them.
"""

from collections.abc import Callable

import pytest

from conductor.commands.drill import known
from conductor.harness.runner import Played

ORDERS = 60
ON_RABBITMQ = ("duplicate-delivery", "hostile-hour", "mixed-versions", "point-in-time-restore", "stuck-consumer")
ON_VALKEY = (
    "broker-restart",
    "broker-wipe",
    "payment-outage",
    "postgres-restart",
    "redis-restart",
    "rolling-deploy",
    "worker-kill",
)
ELSEWHERE = {"poison-message"}
PLAYED = [("rabbitmq", name) for name in ON_RABBITMQ] + [("valkey", name) for name in ON_VALKEY]


def test_every_drill_is_played_here() -> None:
    local = {name for name, drill in known("orders").items() if "local" in drill.runtimes}
    assert local == {name for _, name in PLAYED} | ELSEWHERE


# Of the scope of `runtime`: with parameters that are not fixtures beside it, pytest would make every test a platform of its own.
@pytest.mark.parametrize(("runtime", "name"), PLAYED, indirect=["runtime"], scope="session")
def test_nothing_is_lost_or_doubled(play: Callable[..., Played], name: str) -> None:
    played = play(name, ORDERS)

    assert (True, None, ()) == (played.sound, played.failure, played.findings)
