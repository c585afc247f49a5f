"""Whatever names and texts come, they make no series and no long line, and keep nobody from work. BOMBS says how many.

A hundred thousand come in tests/unit/chassis/test_bombs.py, where nothing waits for a broker.
"""

import os
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from kombu import Connection
from span_collector import Collector, collecting

from chassis import logs, storable
from servers import free_port, wait_until

BOMBS = int(os.environ.get("BOMBS", "60"))
MOST_SERIES = 50

MAIL = "Quillfeather@customer.example"
LONG = 10_000_000
MOST_CPU_SECONDS = 3.0
"""Of a whole worker, for an exception of ten megabytes; to look for addresses in all of it once takes five."""

pytestmark = pytest.mark.timeout(180 + BOMBS / 3)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def hostile_traceparents(number: int) -> Iterator[Any]:
    """What a stranger may say."""
    right = f"00-{uuid.uuid4().hex}-{number + 1:016x}-01"
    yield from (
        right,
        right.upper(),
        f"ff{right[2:]}",
        f"{right}-{number}",
        "0" * 55,
        "x" * 5000,
        number,
        [right],
        {"a": right},
    )


def test_no_name_that_a_message_holds_makes_a_series(rabbit_shop: Any, collector: Collector) -> None:
    port = free_port()
    rabbit_shop.worker(
        METRICS_PORT=str(port),
        PROMETHEUS_MULTIPROC_DIR=str(rabbit_shop.folder / "metrics"),
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.address,
    )

    def series() -> int:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        return sum(not line.startswith("#") for line in text.splitlines())

    def throw(first: int, last: int) -> None:
        with Connection(rabbit_shop.broker_url, transport_options={"confirm_publish": True}) as connection:
            producer = connection.Producer(auto_declare=False)
            for number in range(first, last):
                *_, odd = list(hostile_traceparents(number))[: 1 + number % 9]
                for task, kwargs in ((f"shop.{uuid.uuid4()}", {}), ("shop.fail", {"says": str(uuid.uuid4())})):
                    producer.publish(
                        [[], kwargs, {}],
                        exchange="",
                        routing_key="shop.till",
                        headers={"lang": "py", "task": task, "id": str(uuid.uuid4()), "traceparent": odd},
                        serializer="json",
                    )

    def parked(count: int) -> None:
        wait_until(
            lambda: rabbit_shop.rows("SELECT count(*) FROM parked")[0][0] == count,
            what=f"{count} parked",
            seconds=60 + count / 6,
        )

    throw(0, 9)
    parked(18)
    before = series()
    throw(9, BOMBS)
    parked(2 * BOMBS)

    assert series() - before <= MOST_SERIES
    assert len(rabbit_shop.rows("SELECT DISTINCT queue, reason FROM parked")) <= MOST_SERIES  # those of the exporter
    assert {"process shop.till"} == {span.name for span in collector.spans}


def test_an_exception_of_ten_megabytes_costs_little_and_leaves_little(rabbit_shop: Any, collector: Collector) -> None:
    worker = rabbit_shop.worker(OTEL_EXPORTER_OTLP_ENDPOINT=collector.address)
    rabbit_shop.send("shop.fail")
    wait_until(lambda: len(rabbit_shop.parked()) == 1, what="a small one")
    processes = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children()]

    def cpu_seconds() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    before = cpu_seconds()
    says = "x" * (1000 - len(MAIL)) + MAIL
    rabbit_shop.send("shop.fail", says=says, times=LONG // len(says))
    wait_until(lambda: len(rabbit_shop.parked()) == 2, what="a large one", seconds=60)
    rabbit_shop.send("shop.note")
    wait_until(lambda: rabbit_shop.acts() == ["note"], what="the next task")
    spent = cpu_seconds() - before
    wait_until(lambda: len(collector.spans) >= 3, what="the spans")
    kept = rabbit_shop.rows("SELECT detail FROM parked ORDER BY id")[-1].detail
    spans = [span for span in collector.spans if span.events]

    assert spent < MOST_CPU_SECONDS
    assert max(map(len, rabbit_shop.log().splitlines())) <= logs.LONGEST_LINE
    assert max(span.ByteSize() for span in spans) < 10_000
    assert len(kept) <= storable.MAX_TEXT
    assert all("Quill" not in text for text in (rabbit_shop.log(), kept, *map(str, spans)))
