"""Beat: sends what is due, and looks stuck when it is."""

import json
import os
import signal
import time
from typing import Any

from chassis import probe
from servers import free_port, health, wait_until


def start(shop: Any) -> Any:
    return shop.start("celery", "--app", "shop:app", "beat", "--schedule", str(shop.folder / "schedule"))


def test_beat_sends_what_is_due_and_says_that_it_is_idle(shop: Any) -> None:
    shop.worker(pool="solo")
    worker_heartbeat = shop.heartbeat_file
    shop.environment["HEARTBEAT_FILE"] = str(shop.folder / "beat")
    start(shop)

    wait_until(lambda: shop.acts().count("tick") >= 2, what="two ticks")

    assert (shop.record()["role"], shop.state()) == ("beat", "idle")
    assert worker_heartbeat.exists()


def test_beat_ends_at_sigterm(shop: Any) -> None:
    beat = start(shop)
    wait_until(lambda: shop.state() == "idle", what="a running beat")
    beat.terminate()

    assert beat.wait(10) == 0


def test_what_beat_logs_can_be_collected(rabbit_shop: Any) -> None:
    rabbit_shop.environment["LOG_FORMAT"] = "json"
    start(rabbit_shop)
    wait_until(lambda: "Sending due task tick" in rabbit_shop.log(), what="a tick in the log")

    lines = [json.loads(line) for line in rabbit_shop.log().splitlines() if "Sending due task tick" in line]

    assert ("info", "till") == (lines[0]["level"], lines[0]["pool"])


def test_beat_without_a_broker_is_live_and_not_ready(shop_on: Any) -> None:
    port = free_port()
    shop = shop_on("amqp://127.0.0.1:1/none", METRICS_PORT=str(port))
    start(shop)

    wait_until(lambda: shop.state() == "unreachable", what="a beat that noticed")
    first = shop.record()["ticked"]
    wait_until(lambda: shop.record()["ticked"] > first, what="a beat that keeps trying")

    assert (shop.probe("live")[0], shop.probe("ready")[0]) == (0, 1)
    assert (health(port, "live"), health(port, "ready")) == (200, 503)


def test_a_beat_that_is_stuck_fails_liveness(rabbit_shop: Any) -> None:
    beat = start(rabbit_shop)
    wait_until(lambda: rabbit_shop.state() == "idle", what="a running beat")

    os.kill(beat.pid, signal.SIGSTOP)
    later = time.monotonic() + 31

    assert probe.verdict(rabbit_shop.record(), later, "live")[0] is False
