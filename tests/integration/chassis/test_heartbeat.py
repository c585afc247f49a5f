"""What the heartbeat of a real worker says, and what the probe makes of it. The bounds of the probe itself are unit tests."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chassis import heartbeat, worker_control
from servers import RabbitMQ, Valkey, free_port, health, wait_until


def children(worker: "subprocess.Popen[bytes]") -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()]


def test_an_idle_worker_is_live_and_ready(shop: Any) -> None:
    shop.worker()

    assert shop.probe("live") == (0, "worker is idle\n")
    assert shop.probe("ready") == (0, "worker is idle\n")


@pytest.mark.parametrize("pool", ["solo", "prefork", "threads"])
def test_a_busy_worker_is_ready_and_names_when_its_task_must_have_ended(rabbit_shop: Any, pool: str) -> None:
    rabbit_shop.worker(pool=pool, limits=(9, 8))

    rabbit_shop.send("shop.nap", seconds=2)
    wait_until(lambda: rabbit_shop.state() == "busy", what="a busy worker")
    left = rabbit_shop.record()["deadline"] - time.monotonic()

    assert 9 < left < 9 + 10 + 1.5
    assert rabbit_shop.probe("ready")[0] == 0
    wait_until(lambda: rabbit_shop.state() == "idle", what="an idle worker again")


def test_a_solo_worker_whose_loop_is_blocked_by_its_task_is_live(rabbit_shop: Any) -> None:
    rabbit_shop.worker(pool="solo")
    rabbit_shop.send("shop.nap", seconds=3)
    wait_until(lambda: rabbit_shop.state() == "busy", what="a busy worker")

    ticked = rabbit_shop.record()["ticked"]
    wait_until(lambda: rabbit_shop.acts() == ["begin", "end"], what="the end of the task")

    assert rabbit_shop.record()["ticked"] == ticked or rabbit_shop.state() == "idle"
    assert rabbit_shop.record()["blocking"] is True


def test_a_deleted_queue_is_made_again_and_consumed_again(rabbit_shop: Any, rabbitmq: RabbitMQ, vhost: str) -> None:
    rabbit_shop.worker()

    rabbitmq.api("DELETE", f"queues/{vhost}/shop.till")
    wait_until(lambda: "Trying to re-establish" in rabbit_shop.log(), what="a reconnect")
    wait_until(lambda: rabbit_shop.state() == "idle", what="an idle worker again")
    rabbit_shop.send("shop.note")
    wait_until(lambda: rabbit_shop.acts() == ["note"], what="a task from the new queue")

    assert rabbit_shop.probe("ready")[0] == 0


def test_a_cancelled_consumer_is_not_ready_although_the_broker_answers(shop: Any) -> None:
    shop.worker()

    with shop.app() as app:
        app.control.cancel_consumer("shop.stock")
    wait_until(lambda: shop.state() == heartbeat.CANCELLED, what="a worker that noticed")

    code, why = shop.probe("ready")
    assert (code, "shop.stock" in why) == (1, True)
    assert shop.probe("live")[0] == 0  # for PATIENCE_SECONDS; see the probe's unit tests


def test_a_paused_worker_takes_nothing_and_is_live_and_not_ready_until_it_is_resumed(shop: Any) -> None:
    shop.worker()
    with shop.app() as app:
        app.control.broadcast("pause")
    wait_until(lambda: shop.state() == heartbeat.PAUSED, what="a paused worker")
    shop.send("shop.note")

    assert (shop.probe("live")[0], shop.probe("ready")[0], shop.acts()) == (0, 1, [])

    with shop.app() as app:
        app.control.broadcast("resume")
    wait_until(lambda: shop.acts() == ["note"], what="the task after the resume")
    wait_until(lambda: shop.state() == "idle", what="an idle worker")


def test_a_worker_that_stands_by_takes_nothing_and_is_ready_and_takes_over_when_it_is_told(shop: Any) -> None:
    shop.worker(ready=False, CONSUMERS_PAUSED="true")
    wait_until(lambda: shop.state() == heartbeat.STANDBY, what="a worker that stands by")
    shop.send("shop.note")

    assert (shop.probe("live")[0], shop.probe("ready")[0], shop.acts()) == (0, 0, [])

    with shop.app() as app:
        app.control.broadcast("resume")
    wait_until(lambda: shop.acts() == ["note"], what="the task after the resume")
    wait_until(lambda: shop.state() == "idle", what="an idle worker")


def test_a_worker_that_took_over_can_be_paused_and_then_is_not_ready(shop: Any) -> None:
    shop.worker(ready=False, CONSUMERS_PAUSED="true")
    wait_until(lambda: shop.state() == heartbeat.STANDBY, what="a worker that stands by")

    with shop.app() as app:
        app.control.broadcast("pause")
    wait_until(lambda: shop.state() == heartbeat.PAUSED, what="a paused worker")

    assert shop.probe("ready")[0] == 1


def test_a_worker_that_stands_by_still_does_after_its_connection_was_closed(
    rabbit_shop: Any, rabbitmq: RabbitMQ, vhost: str
) -> None:
    rabbit_shop.worker(ready=False, CONSUMERS_PAUSED="true")
    wait_until(lambda: rabbit_shop.state() == heartbeat.STANDBY, what="a worker that stands by")

    rabbitmq.close_connections(vhost)
    wait_until(lambda: "Trying to re-establish" in rabbit_shop.log(), what="a worker that noticed")
    wait_until(lambda: rabbit_shop.state() == heartbeat.STANDBY, what="a worker that stands by again")
    rabbit_shop.send("shop.note")

    assert rabbit_shop.acts() == []


def told(shop: Any, command: str, within_seconds: float = 20.0) -> Mapping[str, Any]:
    with shop.app() as app:
        return worker_control.tell(app.control, command, ["shop@test"], within_seconds)


def test_a_worker_that_is_told_to_stand_by_works_off_what_it_holds_and_is_ready(shop: Any) -> None:
    shop.worker()
    shop.send("shop.nap", seconds=2)
    wait_until(lambda: shop.acts() == ["begin"], what="a running task")

    said = told(shop, "stand_by")

    assert ({"shop@test": {"state": "standby", "held": 0}}, ["begin", "end"]) == (said, shop.acts())
    wait_until(lambda: shop.state() == heartbeat.STANDBY, what="a worker that stands by")
    assert (0, 0) == (shop.probe("live")[0], shop.probe("ready")[0])


def test_one_that_stands_by_takes_work_again_when_it_is_told(shop: Any) -> None:
    shop.worker()
    told(shop, "stand_by")
    shop.send("shop.note")
    assert [] == shop.acts()

    said = told(shop, "resume")

    assert {"shop@test"} == {name for name, found in said.items() if found and found["state"] in ("idle", "busy")}
    wait_until(lambda: shop.acts() == ["note"], what="the task after the resume")


def test_a_worker_that_is_not_there_is_named(shop: Any) -> None:
    process = shop.start("chassis.worker_control", "shop", "resume", "shop@test", "--within", "0")

    assert 1 == process.wait(30)
    assert "resume was not done within 0 s by shop@test (no answer)" in shop.log()


def test_a_worker_whose_connection_is_closed_connects_again(rabbit_shop: Any, rabbitmq: RabbitMQ, vhost: str) -> None:
    rabbit_shop.worker()

    rabbitmq.close_connections(vhost)
    wait_until(lambda: "Trying to re-establish" in rabbit_shop.log(), what="a worker that noticed")
    wait_until(lambda: rabbit_shop.state() == "idle", what="an idle worker again")

    rabbit_shop.send("shop.note")
    wait_until(lambda: rabbit_shop.acts() == ["note"], what="a task after the reconnect")


def test_while_valkey_is_away_a_worker_is_live_and_not_ready_and_comes_back(
    shop_on: Any, redis_url: str, valkey: Valkey
) -> None:
    shop = shop_on(redis_url)
    shop.worker()

    valkey.stop()
    try:
        wait_until(lambda: shop.state() == "unreachable", what="a worker that noticed")
        first = shop.record()["ticked"]
        wait_until(lambda: shop.record()["ticked"] > first + 2, what="a worker that keeps trying")
        assert shop.probe("live")[0] == 0
        assert shop.probe("ready")[0] == 1
    finally:
        valkey.start()
    wait_until(lambda: shop.state() == "idle", what="an idle worker again")
    shop.send("shop.note")

    wait_until(lambda: shop.acts() == ["note"], what="a task after the reconnect")


def test_a_task_that_ended_while_the_broker_was_away_is_not_past_its_limit(
    shop_on: Any, redis_url: str, valkey: Valkey
) -> None:
    shop = shop_on(redis_url)
    shop.worker(limits=(3, 2))
    shop.send("shop.nap", seconds=1)
    wait_until(lambda: shop.acts()[:1] == ["begin"], what="a running task")

    valkey.stop()
    try:
        wait_until(lambda: "end" in shop.acts(), what="the end of the task")
        wait_until(lambda: shop.state() == "unreachable", what="a worker that noticed")
        first = shop.record()["ticked"]
        wait_until(lambda: shop.record()["ticked"] > first + 14, what="the task's hard limit, and its margin, to pass")
        assert shop.probe("live") == (0, "worker is unreachable\n")
    finally:
        valkey.start()
    wait_until(lambda: shop.state() == "idle", what="an idle worker again")


def test_a_worker_that_starts_before_its_broker_is_live_and_not_ready(shop_on: Any) -> None:
    shop = shop_on("amqp://127.0.0.1:1/none")
    port = free_port()
    shop.worker(ready=False, METRICS_PORT=str(port))

    wait_until(lambda: shop.state() == "unreachable", what="a worker without a broker")

    assert (shop.probe("live")[0], shop.probe("ready")[0]) == (0, 1)
    assert (health(port, "live"), health(port, "ready")) == (200, 503)


def test_a_worker_answers_probes_while_its_loop_is_blocked_by_a_task(rabbit_shop: Any) -> None:
    port = free_port()
    rabbit_shop.worker(pool="solo", METRICS_PORT=str(port))

    rabbit_shop.send("shop.nap", seconds=3)
    wait_until(lambda: rabbit_shop.acts()[:1] == ["begin"], what="a running task")

    assert (health(port, "live"), health(port, "ready")) == (200, 200)
    assert rabbit_shop.acts() == ["begin"]


def test_a_stopped_worker_stops_ticking(rabbit_shop: Any) -> None:
    worker = rabbit_shop.worker()

    os.kill(worker.pid, signal.SIGSTOP)
    ticked = rabbit_shop.record()["ticked"]
    time.sleep(1.5)  # nothing happens, which is the point

    assert rabbit_shop.record()["ticked"] == ticked


def test_a_stopped_child_is_seen_as_a_task_that_does_not_begin(rabbit_shop: Any) -> None:
    worker = rabbit_shop.worker(limits=(9, 8))
    for child in children(worker):
        os.kill(child, signal.SIGSTOP)

    rabbit_shop.send("shop.note")
    wait_until(lambda: rabbit_shop.state() == "busy", what="a worker that holds a task")
    first = rabbit_shop.record()["deadline"]
    wait_until(lambda: rabbit_shop.record()["ticked"] > first - 18, what="a second look")

    assert rabbit_shop.record()["deadline"] == first
    for child in children(worker):
        os.kill(child, signal.SIGCONT)
    wait_until(lambda: rabbit_shop.acts() == ["note"], what="the task")


def test_a_task_that_ignores_its_soft_limit_is_killed_at_the_hard_one(rabbit_shop: Any) -> None:
    worker = rabbit_shop.worker(limits=(2, 1))
    before = children(worker)
    for child in before:
        os.kill(child, 0)

    rabbit_shop.send("shop.nap", seconds=1)
    wait_until(lambda: rabbit_shop.acts()[:1] == ["begin"], what="a running task")
    for child in before:
        os.kill(child, signal.SIGSTOP)
    wait_until(lambda: "Hard time limit" in rabbit_shop.log(), what="the hard limit")
    wait_until(lambda: rabbit_shop.state() == "idle", what="an idle worker again")
    rabbit_shop.send("shop.note")

    wait_until(lambda: "note" in rabbit_shop.acts(), what="a task in the new child")


def test_a_probe_costs_less_than_fifty_milliseconds_of_cpu(rabbit_shop: Any) -> None:
    rabbit_shop.worker()
    rabbit_shop.probe("live")

    before = os.times()
    for _ in range(10):
        rabbit_shop.probe("live")
    after = os.times()

    spent = (after.children_user + after.children_system - before.children_user - before.children_system) / 10
    assert spent < 0.05
