"""Periodic tasks on real brokers: one that kills its process is given up, ticks that nobody took are not all run, an outage is no bug."""

import os
from typing import Any

import pytest

from chassis.declare import declare_app
from chassis.periodic import MAX_DELIVERIES
from conductor.drills.hostile_hour import CLOCK
from servers import wait_until

TICK = {"celery_beat_task": True}


def send_ticks(shop: Any, task: str, count: int = 1, **kwargs: Any) -> None:
    """As beat sends them."""
    with shop.app() as app:
        declare_app(app)
        for _ in range(count):
            app.send_task(task, kwargs=kwargs, queue="shop.till", headers=dict(TICK))


def test_a_tick_that_always_dies_is_given_up_and_the_next_does_not_run(shop: Any) -> None:
    shop.worker(concurrency=1, extra=("--disable-prefetch",) if shop.broker_url.startswith("redis") else ())
    send_ticks(shop, "shop.die")

    wait_until(lambda: shop.parked() == [("poison", "shop.die")], what="a parked tick", seconds=60)
    assert shop.acts().count("dies") == MAX_DELIVERIES

    send_ticks(shop, "shop.die")
    wait_until(lambda: "tick_given_up" in shop.log(), what="a tick that is not run")
    assert shop.acts().count("dies") == MAX_DELIVERIES
    assert len(shop.parked()) == 1


def test_a_plain_task_that_always_dies_is_given_up(shop: Any) -> None:
    shop.worker(concurrency=1, extra=("--disable-prefetch",) if shop.broker_url.startswith("redis") else ())
    shop.send("shop.die")

    wait_until(lambda: shop.parked() == [("poison", "shop.die")], what="a parked message", seconds=60)

    assert shop.acts().count("dies") == MAX_DELIVERIES


def test_of_ticks_that_nobody_took_one_is_run(shop: Any) -> None:
    send_ticks(shop, "shop.look", 14, how="well")
    shop.worker(concurrency=1)
    shop.send("shop.note", text="after them")

    wait_until(lambda: "after them" in shop.acts(), what="what came after the ticks")

    assert ["look", "after them"] == shop.acts()


def test_a_worker_whose_clock_is_ahead_runs_every_tick(rabbit_shop: Any) -> None:
    path = os.pathsep.join([str(CLOCK), rabbit_shop.environment["PYTHONPATH"]])
    rabbit_shop.worker(concurrency=1, PYTHONPATH=path, CLOCK_AHEAD_SECONDS="86400")
    rabbit_shop.start("celery", "--app", "shop:app", "beat", "--schedule", str(rabbit_shop.folder / "schedule"))

    wait_until(lambda: rabbit_shop.acts().count("tick") >= 2, what="two ticks that are run")


@pytest.mark.parametrize("how", ["timeout", "away", "broker", "soft limit"])
def test_a_tick_that_meets_an_outage_is_skipped(rabbit_shop: Any, how: str) -> None:
    rabbit_shop.worker(concurrency=1, limits=(4, 1))
    send_ticks(rabbit_shop, "shop.look", how=how)

    wait_until(lambda: "tick_skipped" in rabbit_shop.log(), what="a tick that is skipped")
    rabbit_shop.send("shop.note")
    wait_until(lambda: "note" in rabbit_shop.acts(), what="the next task")

    assert [] == rabbit_shop.parked()


def test_a_tick_with_a_bug_is_parked(rabbit_shop: Any) -> None:
    rabbit_shop.worker(concurrency=1)
    send_ticks(rabbit_shop, "shop.look", how="a bug")

    wait_until(lambda: rabbit_shop.parked() == [("bug", "shop.look")], what="a parked tick")
