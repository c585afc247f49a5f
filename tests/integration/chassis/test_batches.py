"""A queue of batches on the worker's own consumer: what is flushed with what, and what each failure costs."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from chassis.app import make_app
from chassis.batch_publisher import BatchPublisher, NotConfirmed
from servers import RabbitMQ, wait_until

QUEUE = "columns.lines"


class Columns:
    """The service on a broker, in the folder and environment of a shop."""

    def __init__(self, shop: Any) -> None:
        self.shop = shop
        self.app = make_app("columns", (QUEUE,), shop.settings())

    def worker(self, *, ready: bool = True, **environment: str) -> subprocess.Popen[bytes]:
        self.shop.heartbeat_file.unlink(missing_ok=True)
        process: subprocess.Popen[bytes] = self.shop.start(
            "celery", "--app", "columns.app", "worker", "--queues", QUEUE, "--pool", "solo", "--concurrency", "1",
            "--hostname", "columns@test", "--without-gossip", "--without-mingle", "--prefetch-multiplier", "1",
            "--time-limit", "20", "--soft-time-limit", "10", "--loglevel", "INFO", **environment,
        )  # fmt: skip
        if ready:
            wait_until(lambda: self.shop.state() in ("idle", "busy"), what=f"a worker:\n{self.shop.log()}")
        return process

    def publish(self, *texts: str | bytes) -> None:
        publisher = BatchPublisher(self.app, QUEUE, threads=1)
        for text in texts:
            publisher.publish(text if isinstance(text, bytes) else text.encode()).result(20)
        publisher.close()

    def flushes(self) -> list[list[str]]:
        """What was flushed together, in order."""
        return [line.split(",") for line in self.shop.acts()]

    def flushed(self) -> list[str]:
        return sorted(text for flush in self.flushes() for text in flush)

    def wait_flushed(self, *texts: str) -> None:
        wait_until(lambda: self.flushed() == sorted(texts), what=f"{texts}, got {self.flushes()}\n{self.shop.log()}")

    def control(self, command: str) -> None:
        self.app.control.broadcast(command)


@pytest.fixture
def columns(shop: Any) -> Columns:
    """The service, once on each kind of broker."""
    return Columns(shop)


@pytest.fixture
def rabbit_columns(rabbit_shop: Any) -> Columns:
    """The service on RabbitMQ."""
    return Columns(rabbit_shop)


def test_after_the_first_batch_a_window_is_flushed_together(columns: Columns) -> None:
    columns.worker(WINDOW="2")
    columns.publish("first")
    columns.wait_flushed("first")

    columns.publish("a", "b", "c")
    columns.wait_flushed("first", "a", "b", "c")

    assert [["first"], ["a", "b", "c"]] == columns.flushes()
    wait_until(lambda: columns.shop.record()["held"] == 0, what="nothing held")


def test_a_worker_holds_what_it_waits_with_and_takes_no_more(columns: Columns) -> None:
    columns.worker()
    columns.publish("first")
    columns.wait_flushed("first")
    away = Path(columns.shop.environment["OUT"]).with_name("away")
    away.touch()

    columns.publish("a")
    wait_until(lambda: columns.shop.state() == "stalled", what="a stalled worker")
    columns.publish("b", "c")
    record, ready, live = columns.shop.record(), columns.shop.probe("ready"), columns.shop.probe("live")
    away.unlink()
    columns.wait_flushed("first", "a", "b", "c")
    wait_until(lambda: columns.shop.state() == "idle", what="an idle worker")

    assert ("the store is away", 1) == (record["detail"], record["held"])
    assert (1, 0) == (ready[0], live[0])


def test_a_batch_that_cannot_be_read_or_applied_is_parked_alone(columns: Columns) -> None:
    columns.worker()
    columns.publish("first")
    columns.wait_flushed("first")

    columns.publish("a", b"\xff", "bug", "b")
    wait_until(lambda: len(columns.shop.parked()) == 2, what="two parked batches")
    columns.wait_flushed("first", "a", "b")

    assert ["bug", "malformed"] == sorted(reason for reason, _ in columns.shop.parked())
    wait_until(lambda: columns.shop.record()["held"] == 0, what="nothing held")


def test_a_parked_batch_is_counted_once_by_a_replay_when_it_can_be(columns: Columns) -> None:
    columns.worker()
    columns.publish("bug", "a", b"\xff")
    wait_until(lambda: len(columns.shop.parked()) == 2, what="two parked batches")
    Path(columns.shop.environment["OUT"]).with_name("mended").touch()

    command = [sys.executable, "-m", "chassis.parked", "columns", "replay", "--all", "--reason", "bug"]
    done = subprocess.run(command, env=columns.shop.environment, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr
    columns.wait_flushed("a", "bug")
    assert ["malformed"] == [reason for reason, _ in columns.shop.parked()]


def test_a_batch_that_kills_its_worker_uses_up_its_own_deliveries_only(
    rabbit_columns: Columns, rabbitmq: RabbitMQ, vhost: str
) -> None:
    worker = rabbit_columns.worker()
    rabbit_columns.publish("first")
    rabbit_columns.wait_flushed("first")
    rabbit_columns.publish("a", "b", "die", "c", "d")
    for _ in range(3):  # the first death may take what is held along, no other one
        worker.wait(30)
        worker = rabbit_columns.worker(ready=False)
    worker.wait(30)

    left = rabbitmq.api(
        "POST", f"queues/{vhost}/{QUEUE}/get", {"count": 9, "ackmode": "ack_requeue_true", "encoding": "auto"}
    )
    deaths = {message["payload"]: message["properties"]["headers"]["x-delivery-count"] for message in left}

    assert 4 == deaths.pop("die")
    assert all(count <= 1 for count in deaths.values()), deaths
    assert ["a", "b", "c", "d", "first"] == sorted([*rabbit_columns.flushed(), *deaths])


def test_a_lost_connection_drops_the_window_and_the_broker_delivers_it_again(
    rabbit_columns: Columns, rabbitmq: RabbitMQ, vhost: str
) -> None:
    rabbit_columns.worker(WINDOW="6")
    rabbit_columns.publish("first")
    rabbit_columns.wait_flushed("first")
    rabbit_columns.publish("a", "b")
    wait_until(lambda: rabbit_columns.shop.record()["held"] == 2, what="two batches held")

    rabbitmq.close_connections(vhost)
    rabbit_columns.wait_flushed("first", "a", "b")
    rabbit_columns.publish("c")
    rabbit_columns.wait_flushed("first", "a", "b", "c")

    # Delivered again, so each alone, and nothing was flushed from the window of the old connection.
    assert [["first"], ["a"], ["b"], ["c"]] == rabbit_columns.flushes()


def test_batches_that_come_again_are_flushed_one_after_the_other_without_consuming_anew(
    rabbit_columns: Columns, rabbitmq: RabbitMQ, vhost: str
) -> None:
    texts = [f"text-{number}" for number in range(12)]
    rabbit_columns.publish(*texts)
    with Connection(rabbitmq.url(vhost)) as connection:
        for _ in texts:
            assert connection.default_channel.basic_get(QUEUE)
    rabbit_columns.worker()
    rabbit_columns.wait_flushed(*texts)

    assert sorted([text] for text in texts) == sorted(rabbit_columns.flushes())
    # kombu numbers a consumer's tag by how many it began: one at the start, and at most one more for the whole prefetch count.
    begun: list[int] = []

    def known() -> bool:  # to the management API, a moment later
        consumers = rabbitmq.api("GET", f"consumers/{vhost}")
        begun[:] = [int(re.findall(r"\d+$", one["consumer_tag"])[0]) for one in consumers]
        return bool(begun)

    wait_until(known, what="a consumer in the management API")
    assert max(begun) <= 2


def test_a_paused_worker_flushes_what_it_has_and_takes_no_more(rabbit_columns: Columns) -> None:
    rabbit_columns.worker()
    rabbit_columns.publish("first")
    rabbit_columns.wait_flushed("first")

    rabbit_columns.control("pause")
    wait_until(lambda: rabbit_columns.shop.state() == "paused", what="a paused worker")
    rabbit_columns.publish("a")
    held = rabbit_columns.shop.record()["held"]
    before = rabbit_columns.flushed()
    rabbit_columns.control("resume")
    rabbit_columns.wait_flushed("first", "a")

    assert (0, ["first"]) == (held, before)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--pool", "prefork", "--concurrency", "1"), "--pool is prefork"),
        (("--pool", "solo", "--concurrency", "2"), "--concurrency 2"),
    ],
)
def test_a_worker_of_batches_is_solo(rabbit_columns: Columns, arguments: tuple[str, ...], named: str) -> None:
    process = rabbit_columns.shop.start(
        "celery", "--app", "columns.app", "worker", "--queues", QUEUE, *arguments, "--prefetch-multiplier", "1",
        "--time-limit", "20", "--soft-time-limit", "10",
    )  # fmt: skip

    assert 0 != process.wait(30)
    assert named in rabbit_columns.shop.log()


def test_a_batch_that_no_queue_takes_is_an_error_and_the_next_makes_the_queue(
    rabbit_columns: Columns, rabbitmq: RabbitMQ, vhost: str
) -> None:
    publisher = BatchPublisher(rabbit_columns.app, QUEUE, threads=1)
    publisher.publish(b"a").result(20)
    rabbitmq.api("DELETE", f"queues/{vhost}/{QUEUE}")

    with pytest.raises(NotConfirmed, match="no queue takes a batch"):
        publisher.publish(b"b").result(20)
    publisher.publish(b"c").result(20)
    publisher.close()

    rabbit_columns.worker()
    rabbit_columns.wait_flushed("c")


def test_a_broker_that_does_not_confirm_is_an_error_and_the_next_batch_is_not_confused(
    rabbit_shop: Any, rabbitmq: RabbitMQ
) -> None:
    columns = Columns(rabbit_shop)
    columns.publish("a")
    app = make_app("columns", (QUEUE,), rabbit_shop.settings(publish_timeout_seconds=1.0))
    publisher = BatchPublisher(app, QUEUE, threads=1)
    publisher.publish(b"b").result(20)

    rabbitmq.pause()
    hanging = publisher.publish(b"c")
    with pytest.raises(NotConfirmed):
        hanging.result(20)
    rabbitmq.resume()
    publisher.publish(b"d").result(20)
    publisher.close()

    assert 0.0 == publisher.waiting_seconds()


def test_a_publisher_outlives_a_lost_connection(rabbit_columns: Columns, rabbitmq: RabbitMQ, vhost: str) -> None:
    rabbit_columns.publish("a")
    publisher = BatchPublisher(rabbit_columns.app, QUEUE, threads=1)
    publisher.publish(b"b").result(20)

    rabbitmq.close_connections(vhost)
    publisher.publish(b"c").result(20)
    publisher.close()
    rabbit_columns.worker()

    rabbit_columns.wait_flushed("a", "b", "c")
