"""Whatever a collector does, tasks, memory and the end of a process are as with one that answers, and what it does not take is counted.

Four workers run side by side, so that what else the machine does meets all alike. COLLECTOR_SECONDS says for how long: 600 is the whole.
"""

import logging
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from subprocess import Popen
from typing import Any

import psutil
import pytest
from span_collector import Collector, collecting

from chassis import metric_files, metrics, span_export
from conductor.harness import silent_collector
from servers import RabbitMQ, free_port, wait_until

log = logging.getLogger(__name__)

SECONDS = float(os.environ.get("COLLECTOR_SECONDS", "4"))
EACH_SECONDS = 0.1
"""A task comes so often."""
BURST_SECONDS = 10.0
"""And one of 3,001 spans so often: more than wait for a collector, and more than one that does not answer is offered meanwhile."""
BURST_SPANS = 3001
LATE_SECONDS = 1.5
"""Soon enough for the exporter, and too late for what comes."""

MOST_COST_US = 1000
"""At the 99th percentile; of fewer than ENOUGH tasks that is one that the machine was slow with, and the median is judged."""
ENOUGH = 1000
MOST_WAIT_US = 500_000
SLACK_US = 50_000
"""Until a thread that waited knows that it waited for long enough."""

pytestmark = pytest.mark.timeout(240 + SECONDS)


TASK, SPANS, BURST = "shop.traced", 3, "shop.trace"
"""What is measured, and how many spans of its own it has; and what makes BURST_SPANS."""


@dataclass
class Side:
    """A worker and its collector; `memory` and `files` are those of its processes together, as often as they were looked at."""

    shop: Any
    worker: Popen[bytes]
    collector: Collector | None
    send: Any
    tasks: int = 0
    bursts: int = 0
    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    processes: list[psutil.Process] = field(default_factory=list)

    def task(self) -> None:
        """One of those that are measured."""
        self.tasks += 1
        self.send(TASK)

    def burst(self) -> None:
        """One of very many spans."""
        self.bursts += 1
        self.send(BURST)

    def told(self, name: str) -> list[float]:
        """What the worker wrote down (µs)."""
        return [float(act.split()[1]) for act in self.shop.acts() if act.startswith(f"{name} ")]

    def done(self) -> bool:
        """Whether every task is."""
        return (self.tasks, self.bursts) == (len(self.told("cost")), self.shop.acts().count("traced"))

    def look(self) -> None:
        """At memory and open files of the main process and its child."""
        if not self.processes:
            main = psutil.Process(self.worker.pid)
            self.processes = [main, *main.children()]
        self.memory.append(sum(process.memory_full_info().uss for process in self.processes))
        self.files.append(sum(process.num_fds() for process in self.processes))

    def counts(self) -> dict[str, float]:
        """What its processes counted, all of which are gone."""
        files = (self.shop.folder / "metrics").glob("counter_*.db")
        return {key: value for file in files for key, value in (metric_files.read(file) or {}).items()}


def grown(looked: list[int]) -> float:
    """By how much the most of the second half is more than that of the first, as a share."""
    half = len(looked) // 2
    return max(looked[half:]) / max(looked[:half]) - 1


@contextmanager
def sides(shop_on: Any, tmp_path: Path, rabbitmq: RabbitMQ) -> Iterator[dict[str, Side]]:
    """A worker for each way a collector may be."""
    with ExitStack() as opened:
        answering = opened.enter_context(collecting(keep=False))
        slow = opened.enter_context(collecting(keep=False, answer_seconds=LATE_SECONDS))
        silent = opened.enter_context(silent_collector.listening())
        collectors = {
            "answers": (answering.address, answering),
            "is slow": (slow.address, slow),
            "is silent": (silent.url, None),
            "is gone": (f"http://127.0.0.1:{free_port()}", None),
        }
        made = {}
        for way, (address, collector) in collectors.items():
            folder = tmp_path / way.replace(" ", "-")
            folder.mkdir()
            vhost = f"collector_{folder.name}"
            rabbitmq.api("PUT", f"vhosts/{vhost}")
            opened.callback(rabbitmq.api, "DELETE", f"vhosts/{vhost}")
            shop = shop_on(rabbitmq.url(vhost), folder, SHOP="timed_shop:app")
            worker = shop.worker(
                ready=False,
                METRICS_PORT=str(free_port()),
                PROMETHEUS_MULTIPROC_DIR=str(folder / "metrics"),
                OTEL_EXPORTER_OTLP_ENDPOINT=address,
            )
            app = opened.enter_context(shop.app())
            made[way] = Side(shop, worker, collector, partial(app.send_task, queue="shop.till"))
        for side in made.values():
            wait_until(lambda side=side: side.shop.state() == "idle", what="a worker", seconds=60)
        yield made


def work(made: dict[str, Side], seconds: float) -> None:
    """Tasks keep coming."""
    until = time.monotonic() + seconds
    looks = bursts = time.monotonic()
    while (now := time.monotonic()) < until:
        for side in made.values():
            side.task()
            if now >= bursts:
                side.burst()
            if now >= looks:
                side.look()
        bursts += BURST_SECONDS * (now >= bursts)
        looks += 0.5 * (now >= looks)
        time.sleep(EACH_SECONDS)  # the pace of what comes


def test_what_a_collector_does_is_no_matter_for_tasks_memory_and_the_end_and_what_it_does_not_take_is_counted(
    shop_on: Any, tmp_path: Path, rabbitmq: RabbitMQ
) -> None:
    with sides(shop_on, tmp_path, rabbitmq) as made:
        for side in made.values():
            side.burst()  # imports, first connections, a queue that was full once
            side.task()
        wait_until(lambda: all(side.done() for side in made.values()), what="a first task", seconds=60)
        first = {way: len(side.told("cost")) for way, side in made.items()}
        work(made, SECONDS)
        for side in made.values():
            side.burst()  # something is left when it ends
        wait_until(lambda: all(side.done() for side in made.values()), what="every task", seconds=60)
        for side in made.values():
            side.worker.terminate()
        ended = {way: side.worker.wait(60) for way, side in made.items()}

        assert dict.fromkeys(made, 0) == ended
        judged = {}
        for way, side in made.items():
            counts = side.counts()
            by_outcome = {
                outcome: counts.get(metrics.key(span_export.SPANS, "till", outcome), 0)
                for outcome in ("sent", "refused", "dropped")
            }
            tasks = {
                (name, outcome): counts.get(metrics.key(metrics.TASKS, "till", name, outcome), 0)
                for name in (TASK, BURST)
                for outcome in ("succeeded", "failed")
            }
            costs = side.told("cost")[first[way] :]
            p99 = statistics.quantiles(costs, n=100, method="inclusive")[98]
            judged[way] = p99 if len(costs) >= ENOUGH else statistics.median(costs)
            (stopped,) = side.told("stopped")
            log.info(
                "a collector that %s: %d tasks, tracing of one %.0f us (median), %.0f us (p99); the end waited %.0f ms; "
                "memory %+.1f %% of %.0f MB; files %+.1f %%; %s",
                way, len(costs), statistics.median(costs), p99, stopped / 1000,
                100 * grown(side.memory), max(side.memory) / 1e6, 100 * grown(side.files), by_outcome,
            )  # fmt: skip

            assert [] == side.shop.parked()
            assert {
                (TASK, "succeeded"): side.tasks,
                (TASK, "failed"): 0,
                (BURST, "succeeded"): side.bursts,
                (BURST, "failed"): 0,
            } == tasks
            assert SPANS * side.tasks + BURST_SPANS * side.bursts == sum(by_outcome.values())
            assert (side.collector.taken if side.collector else 0) == by_outcome["sent"]
            assert way == "answers" or by_outcome["dropped"] > 0  # whoever answers may keep up
            assert stopped < MOST_WAIT_US + SLACK_US
        assert {} == {way: cost for way, cost in judged.items() if cost - judged["answers"] >= MOST_COST_US}
        assert {} == {way: side.memory for way, side in made.items() if grown(side.memory) > 0.05}
        assert {} == {way: side.files for way, side in made.items() if grown(side.files) > 0.05}
