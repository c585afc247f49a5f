"""Worker and beat while their broker is alive and does not answer: they tick, say so, end when told, go on after."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from silence import full_memory, memory_alarm, stopped

from servers import wait_until

WAYS: dict[str, Callable[[Any], AbstractContextManager[None]]] = {
    "rabbitmq stopped": stopped,
    "rabbitmq memory alarm": memory_alarm,
    "valkey stopped": stopped,
    "valkey memory full": full_memory,
}

PATIENCE_SECONDS = 1.0
"""The time-out of these processes for each step."""


@pytest.fixture(params=WAYS)
def silenced(request: pytest.FixtureRequest, shop_on: Any) -> tuple[Any, Callable[[], AbstractContextManager[None]]]:
    """A shop, and what silences its broker."""
    kind = request.param.split()[0]
    server = request.getfixturevalue(kind)
    url = request.getfixturevalue({"rabbitmq": "rabbitmq_url", "valkey": "redis_url"}[kind])
    return shop_on(url, PUBLISH_TIMEOUT_SECONDS=str(PATIENCE_SECONDS)), lambda: WAYS[request.param](server)


def wait_for_ticks(shop: Any) -> None:
    """Until the process ticked long after the silence began, twice."""
    later = time.monotonic() + 4 * PATIENCE_SECONDS
    wait_until(lambda: shop.record()["ticked"] > later, what="a tick in silence")
    first = shop.record()["ticked"]
    wait_until(lambda: shop.record()["ticked"] > first, what="another tick in silence")


def end(shop: Any, process: Any) -> None:
    process.terminate()
    wait_until(lambda: process.poll() is not None, what=f"its end:\n{shop.log()[-2000:]}", seconds=20)


def test_a_worker_ticks_and_goes_on_and_ends(silenced: Any) -> None:
    shop, silence = silenced
    worker = shop.worker(pool="prefork")
    with silence():
        wait_for_ticks(shop)
    shop.send("shop.note")
    wait_until(lambda: "note" in shop.acts(), what="a task after the silence", seconds=60)
    with silence():
        end(shop, worker)


@pytest.mark.parametrize("silenced", ["rabbitmq stopped", "valkey stopped"], indirect=True)
@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_a_worker_of_another_pool_ends_when_told(silenced: Any, pool: str) -> None:
    shop, silence = silenced
    worker = shop.worker(pool=pool)
    with silence():
        end(shop, worker)


def test_beat_ticks_and_goes_on_and_ends(silenced: Any) -> None:
    shop, silence = silenced
    beat = shop.start("celery", "--app", "shop:app", "beat", "--schedule", str(shop.folder / "schedule"))
    wait_until(lambda: shop.state() == "idle", what="a running beat")
    with silence():
        wait_until(lambda: shop.state() == "unreachable", what="a beat that noticed")
        wait_for_ticks(shop)
    wait_until(lambda: shop.state() == "idle", what="a beat that goes on")
    with silence():
        wait_until(lambda: shop.state() == "unreachable", what="a beat that noticed again")
        end(shop, beat)
