"""The outside program that trading follows: a market's data feed."""

from collections.abc import Mapping, Sequence

from conductor.own_servers import OutsideProgram

TICKS_PER_SECOND = 20
BASE_CENTS = 10_000
"""Prices of the market wander around those of the load, see drawn_orders.MIDDLE_TICKS."""


def _feed(ports: Mapping[str, int], settings: Mapping[str, str]) -> Sequence[str]:
    where = ("--host", "127.0.0.1", "--port", str(ports["feed"]))
    return (*where, "--rate", str(TICKS_PER_SECOND), "--base-cents", str(BASE_CENTS))


OUTSIDE = (OutsideProgram("feed", 9104, {"feed": 8104}, _feed, shows="feed/ticks?first=1&last=10", takes_faults=False),)


def environment(ports: Mapping[str, int]) -> Mapping[str, str]:
    """Where it answers, and how often the engine is told its prices."""
    return {"FEED_URL": f"http://127.0.0.1:{ports['feed']}", "REFERENCE_EVERY_SECONDS": "5"}
