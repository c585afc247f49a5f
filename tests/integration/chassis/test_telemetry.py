"""Traces and counters of real workers: complete although children are recycled, and harmless when the collector is away."""

import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from span_collector import Collector, collecting

from conductor.harness import silent_collector
from servers import free_port, wait_until


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


MOST_SECONDS = 4.0
"""Half a second for the collector, and what a process needs to end on a busy machine; who waited for each batch would take 8 s."""


def seconds_to_end(process: Any) -> float:
    began = time.monotonic()
    process.terminate()
    assert process.wait(30) == 0
    return time.monotonic() - began


def scrape(port: int) -> dict[str, float]:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_recycled_children_lose_no_span(rabbit_shop: Any, collector: Collector) -> None:
    worker = rabbit_shop.worker(extra=("--max-tasks-per-child", "1"), OTEL_EXPORTER_OTLP_ENDPOINT=collector.address)

    for _ in range(3):
        rabbit_shop.send("shop.note")
    wait_until(lambda: len(rabbit_shop.acts()) == 3, what="three tasks", seconds=60)
    worker.terminate()
    worker.wait(20)

    assert [span.name for span in collector.spans] == ["process shop.till"] * 3
    assert len(collector.instances) == 3


def test_a_solo_worker_sends_its_last_span_when_it_ends(rabbit_shop: Any, collector: Collector) -> None:
    worker = rabbit_shop.worker(pool="solo", OTEL_EXPORTER_OTLP_ENDPOINT=collector.address)

    rabbit_shop.send("shop.note")
    wait_until(lambda: len(rabbit_shop.acts()) == 1, what="a task")
    worker.terminate()
    worker.wait(20)

    assert len(collector.spans) == 1


def test_a_task_continues_the_trace_in_its_headers(rabbit_shop: Any, collector: Collector) -> None:
    rabbit_shop.worker(OTEL_EXPORTER_OTLP_ENDPOINT=collector.address)
    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"

    with rabbit_shop.app() as app:
        app.send_task("shop.note", headers={"traceparent": parent})
    wait_until(lambda: bool(collector.spans), what="a span")
    span = collector.spans[0]

    assert (span.trace_id.hex(), span.parent_span_id.hex()) == ("ab" * 16, "cd" * 8)
    assert {a.key: a.value.string_value for a in span.attributes}["messaging.destination.name"] == "shop.till"


def test_a_failed_task_is_a_failed_span_and_its_log_has_the_trace(rabbit_shop: Any, collector: Collector) -> None:
    rabbit_shop.worker(OTEL_EXPORTER_OTLP_ENDPOINT=collector.address)

    rabbit_shop.send("shop.fail")
    wait_until(lambda: bool(collector.spans), what="a span")
    span = collector.spans[0]

    told = {a.key: a.value.string_value for a in span.attributes}
    assert (told["error.type"], [event.name for event in span.events]) == ("RuntimeError", ["exception"])
    assert span.trace_id.hex() in rabbit_shop.log()


def test_a_collector_that_never_answers_does_not_hold_up_the_end_of_an_api(rabbit_shop: Any) -> None:
    port = free_port()
    with silent_collector.listening() as silent:
        api = rabbit_shop.start("chassis.serve", "shop", PORT=str(port), OTEL_EXPORTER_OTLP_ENDPOINT=silent.url)
        wait_until(lambda: rabbit_shop.state() == "idle", what="an API that serves")
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/trace", timeout=10).read() == b"traced"
        wait_until(lambda: silent.taken > 0, what="a batch on its way")

        assert seconds_to_end(api) < MOST_SECONDS


def test_counters_equal_what_happened_although_children_are_recycled(rabbit_shop: Any) -> None:
    port, folder = free_port(), rabbit_shop.folder / "metrics"
    folder.mkdir()
    (folder / "counter_99999999.db").write_bytes(b"left behind")
    rabbit_shop.worker(
        concurrency=2,
        extra=("--max-tasks-per-child", "2"),
        METRICS_PORT=str(port),
        PROMETHEUS_MULTIPROC_DIR=str(folder),
    )

    for _ in range(7):
        rabbit_shop.send("shop.note")
    for _ in range(2):
        rabbit_shop.send("shop.fail")
    rabbit_shop.send("shop.unknown")
    succeeded = 'chassis_tasks_total{outcome="succeeded",pool="till",task="shop.note"}'
    wait_until(lambda: scrape(port).get(succeeded) == 7, what="seven successes", seconds=60)
    wait_until(lambda: len(rabbit_shop.parked()) == 2, what="two parked")
    failed = 'chassis_tasks_total{outcome="failed",pool="till",task="shop.fail"}'
    wait_until(lambda: scrape(port).get(failed) == 2, what="two failures")
    # Parked first, counted then.
    unknown = 'chassis_parked_total{pool="till",reason="unknown_task"}'
    wait_until(lambda: scrape(port).get(unknown) == 1, what="the unknown task to be counted")
    counts = scrape(port)

    assert counts['chassis_tasks_started_total{pool="till",task="shop.note"}'] == 7
    assert counts['chassis_task_seconds_count{pool="till",task="shop.note"}'] == 7
    assert counts['chassis_parked_total{pool="till",reason="bug"}'] == 2
    assert len(list(folder.glob("counter_*.db"))) <= 1 + 1 + 2  # the sum, the main process, two children


def test_a_task_killed_at_its_limit_counts_as_failed(rabbit_shop: Any) -> None:
    port, folder = free_port(), rabbit_shop.folder / "metrics"
    rabbit_shop.worker(limits=(2, 1), METRICS_PORT=str(port), PROMETHEUS_MULTIPROC_DIR=str(folder))

    rabbit_shop.send("shop.stubborn")
    wait_until(lambda: "Hard time limit" in rabbit_shop.log(), what="the hard limit")
    killed = 'chassis_tasks_killed_total{pool="till",reason="time_limit",task="shop.stubborn"}'
    wait_until(lambda: scrape(port).get(killed) == 1, what="one that was killed")
    counts = scrape(port)

    assert counts['chassis_tasks_total{outcome="failed",pool="till",task="shop.stubborn"}'] == 1
    assert counts['chassis_tasks_killed_total{pool="till",reason="lost",task="shop.stubborn"}'] == 0


def test_a_task_whose_process_is_killed_counts_once_whoever_of_the_pool_dies_with_it(rabbit_shop: Any) -> None:
    port = free_port()
    told = {"METRICS_PORT": str(port), "PROMETHEUS_MULTIPROC_DIR": str(rabbit_shop.folder / "metrics")}
    worker = rabbit_shop.worker(concurrency=2, **told)

    def lost(task: str) -> float:
        return scrape(port).get(f'chassis_tasks_killed_total{{pool="till",reason="lost",task="{task}"}}', -1)

    assert 0 == lost("shop.die")
    rabbit_shop.send("shop.note")
    rabbit_shop.send("shop.die")
    wait_until(lambda: "message_parked" in rabbit_shop.log(), what="a message that is given up", seconds=60)
    died = rabbit_shop.acts().count("dies")
    wait_until(lambda: lost("shop.die") == died, what=f"{died} children to be counted")
    rabbit_shop.send("shop.nap", seconds=2.0)
    wait_until(lambda: "begin" in rabbit_shop.acts(), what="a task that runs")
    for process in (worker, *psutil.Process(worker.pid).children(recursive=True)):
        process.kill()
    worker.wait()
    rabbit_shop.worker(concurrency=2, **told)
    wait_until(lambda: "end" in rabbit_shop.acts(), what="the task to run again", seconds=60)
    succeeded = 'chassis_tasks_total{outcome="succeeded",pool="till",task="%s"}'
    wait_until(lambda: scrape(port).get(succeeded % "shop.nap") == 1, what="its success")
    counts = scrape(port)

    assert (1, died) == (lost("shop.nap"), lost("shop.die"))
    assert (
        2
        == counts['chassis_starts_total{pool="till"}']
        == counts['chassis_tasks_started_total{pool="till",task="shop.nap"}']
    )
    assert 1 == counts['chassis_tasks_total{outcome="failed",pool="till",task="shop.nap"}']
    assert 1 == counts[succeeded % "shop.note"]


def test_a_task_whose_main_process_alone_is_killed_counts_once(rabbit_shop: Any) -> None:
    port = free_port()
    told = {"METRICS_PORT": str(port), "PROMETHEUS_MULTIPROC_DIR": str(rabbit_shop.folder / "metrics")}
    worker = rabbit_shop.worker(**told)
    rabbit_shop.send("shop.nap", seconds=2.0)
    wait_until(lambda: "begin" in rabbit_shop.acts(), what="a task that runs")
    worker.kill()  # the kernel kills its child with it, as Celery asked it to
    worker.wait()
    rabbit_shop.worker(**told)
    succeeded = 'chassis_tasks_total{outcome="succeeded",pool="till",task="shop.nap"}'
    wait_until(lambda: scrape(port).get(succeeded) == 1, what="the task to run again", seconds=60)
    counts = scrape(port)

    assert ["begin", "begin", "end"] == rabbit_shop.acts()
    assert 2 == counts['chassis_tasks_started_total{pool="till",task="shop.nap"}']
    assert 1 == counts['chassis_tasks_total{outcome="failed",pool="till",task="shop.nap"}']
    assert 1 == counts['chassis_tasks_killed_total{pool="till",reason="lost",task="shop.nap"}']


def test_a_beat_shows_when_it_ticked_and_when_it_sent_each_entry(rabbit_shop: Any) -> None:
    port, folder = free_port(), rabbit_shop.folder / "metrics"
    schedule = str(rabbit_shop.folder / "schedule")
    extra = {"METRICS_PORT": str(port), "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    rabbit_shop.start("celery", "-A", "shop", "beat", "--schedule", schedule, **extra)

    wait_until(lambda: rabbit_shop.state() == "idle", what="a running beat")
    wait_until(lambda: 'chassis_beat_run_timestamp_seconds{entry="tick",pool="till"}' in scrape(port), what="a run")
    shown = scrape(port)

    assert 60 > time.time() - shown['chassis_beat_tick_timestamp_seconds{pool="till"}']
    assert 30 > shown['chassis_heartbeat_age_seconds{pool="till"}']


def test_without_a_port_and_an_endpoint_neither_library_is_imported(rabbit_shop: Any) -> None:
    rabbit_shop.worker(pool="solo")

    rabbit_shop.send("shop.imported")
    wait_until(lambda: bool(rabbit_shop.acts()), what="a task")

    assert rabbit_shop.acts() == ["imported "]
