"""`python -m loadtests.watching`: what it takes to watch a platform at rest, and what rollouts and connections leave behind in Prometheus.

A platform of its own is watched as `make up OBSERVE=1` does it. At rest the programs that watch are measured, from the kernel's counters.
Then its pools are rolled and connections to the broker are opened, and the series that Prometheus scrapes, and has in memory, are counted
before and after. The last line is JSON.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

from conductor import amqp_client
from conductor.errors import Refused
from conductor.harness.alert_queries import result
from conductor.laptop import lifecycle, observability
from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.wanted import Wanted
from conductor.run_directory import RunDirectory

SETTLED_SECONDS = 30.0
"""After which a platform that started is at rest."""

FRESH_SECONDS = 20.0
"""Some scrapes, after which what is gone is no active series."""


@contextmanager
def watched() -> Iterator[LocalRuntime]:
    """The orders' platform, watched; gone at the end."""
    if observability.missing():
        raise Refused(f"{' and '.join(observability.missing())} not installed: {observability.INSTALL}")
    with tempfile.TemporaryDirectory(prefix="watching-") as folder:
        run = RunDirectory(Path(folder) / "run")
        try:
            lifecycle.up(run, Wanted("rabbitmq", observe=True), lambda text: print(f"  {text}", flush=True))
            yield LocalRuntime.running(run)
        finally:
            lifecycle.down(run)


def watchers(runtime: LocalRuntime) -> dict[str, psutil.Process]:
    """What runs only because the platform is watched."""
    names = ("traces", "prometheus", "alertmanager", observability.exporter_name(runtime.platform.name))
    return {name: psutil.Process(runtime.platform.supervisor.process(name).pid) for name in names}


def at_rest(runtime: LocalRuntime, seconds: float) -> dict[str, Any]:
    """Memory (MB) and CPU (share of a core) of each watcher."""
    time.sleep(SETTLED_SECONDS)
    processes = watchers(runtime)
    before = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}
    time.sleep(seconds)
    cpu = {name: (sum(process.cpu_times()[:2]) - before[name]) / seconds for name, process in processes.items()}
    memory = {name: process.memory_full_info().pss / 1e6 for name, process in processes.items()}
    return {
        "memory_mb": {name: round(one) for name, one in memory.items()} | {"all": round(sum(memory.values()))},
        "cores": {name: round(one, 3) for name, one in cpu.items()} | {"all": round(sum(cpu.values()), 3)},
    }


def series(runtime: LocalRuntime) -> dict[str, int]:
    """Series that the last scrapes brought, and those in memory."""

    def value(query: str) -> int:
        return int(float(result(runtime, query)[0]["value"][1]))

    return {"active": value("sum(scrape_samples_post_metric_relabeling)"), "head": value("prometheus_tsdb_head_series")}


def main(argv: list[str]) -> int:
    """Measure; the last line is JSON."""
    parser = argparse.ArgumentParser(prog="watching", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the platform is looked at while it rests")
    parser.add_argument("--rolls", type=int, default=20)
    parser.add_argument("--connections", type=int, default=2000)
    given = parser.parse_args(argv)
    with watched() as runtime, ExitStack() as opened:
        rest = at_rest(runtime, given.seconds)
        counts = [series(runtime)]
        pools = list(runtime.pools())
        for number in range(given.rolls):
            runtime.roll(pools[number % len(pools)])
        broker = runtime.service_environment()["BROKER_URL"]
        for _ in range(given.connections):
            opened.callback(amqp_client.connected(broker, heartbeat=0).collect)
        time.sleep(FRESH_SECONDS)
        counts.append(series(runtime))
    print(json.dumps({"at_rest": rest, "series_before": counts[0], "series_after": counts[1]}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
