"""`python -m loadtests.orders.observed`: what metrics and traces cost an order in CPU, each against the same pools that show nothing.

The ways take turns (A B C D A B C D …) on one platform, and each is compared with the plain run of its own turn, so that what else the
machine does meets all alike. CPU time is read from the kernel, not the clock. The collector of the traces counts them and answers at once;
its CPU is not counted, and nobody scrapes.
"""

import argparse
import json
import socket
import statistics
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from conductor.http_server import HttpServer
from conductor.laptop.platform import Platform
from conductor.laptop.runtime import LocalRuntime
from conductor.runtime import Change
from loadtests.orders.bench import WARM_UP_ORDERS, Bench, platform_of_its_own
from loadtests.orders.ours import STAGES, Ours
from loadtests.orders.report import Measured

PLAIN = "plain"
WAYS: Mapping[str, tuple[bool, float | None]] = {
    PLAIN: (False, None),
    "metrics": (True, None),
    "traces at 0 %": (False, 0.0),
    "traces at 10 %": (False, 0.1),
    "traces at 100 %": (False, 1.0),
}
"""Whether metrics are counted, and the share of traces that is recorded; None is no tracing at all."""


class Observed(Ours):
    """The pools, started anew each time to be observed in one way."""

    def __init__(self, platform: Platform, name: str, collector: str) -> None:
        super().__init__(platform)
        self.name = name
        self._runtime = LocalRuntime(platform)
        self._collector = collector

    def wake(self) -> None:
        """Replace what is at rest."""
        for pool in STAGES:
            self._runtime.roll(pool, Change(self._settings(pool)))

    def _settings(self, pool: str) -> Mapping[str, str]:
        metrics, share = WAYS[self.name]
        told: dict[str, str] = {}
        if metrics:
            with socket.create_server(("127.0.0.1", 0)) as free:
                told["METRICS_PORT"] = str(free.getsockname()[1])
            told["PROMETHEUS_MULTIPROC_DIR"] = str(self._platform.run.metrics / f"observed-{pool}")
        if share is not None:
            told |= {"OTEL_EXPORTER_OTLP_ENDPOINT": self._collector, "OTEL_TRACES_SAMPLER_ARG": str(share)}
        return told


@dataclass
class Collected:
    """How many spans came to this address."""

    address: str = ""
    spans: int = 0


@contextmanager
def collecting() -> Iterator[Collected]:
    """A collector that takes everything."""
    collected = Collected()

    class Collector(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            collected.spans += sum(len(scope.spans) for one in sent.resource_spans for scope in one.scope_spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with HttpServer(("127.0.0.1", 0), Collector) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        collected.address = f"http://127.0.0.1:{server.server_port}"
        yield collected
        server.shutdown()


@dataclass(frozen=True)
class Run:
    """A way measured once, and how many spans it sent an order."""

    measured: Measured
    spans: float

    def __str__(self) -> str:
        return f"{self.measured}, {self.spans:.1f} spans an order"


def costs(runs: Sequence[Run]) -> dict[str, Any]:
    """By way the CPU an order of each turn (µs), the median of how much more it is than the plain run of that turn (%), and the median of
    the spans an order."""
    spent: dict[str, list[float]] = {}
    spans: dict[str, list[float]] = {}
    for run in runs:
        spent.setdefault(run.measured.side, []).append(sum(run.measured.us_per_order().values()))
        spans.setdefault(run.measured.side, []).append(run.spans)
    more = {
        way: statistics.median((own / plain - 1) * 100 for own, plain in zip(found, spent[PLAIN], strict=True))
        for way, found in spent.items()
    }
    return {
        way: {
            "cpu_us_per_order": [round(one) for one in found],
            "more_percent": round(more[way], 1),
            "spans_per_order": round(statistics.median(spans[way]), 1),
        }
        for way, found in spent.items()
    }


def main(argv: list[str]) -> int:
    """Measure; the last line is JSON."""
    parser = argparse.ArgumentParser(prog="observed", description=__doc__)
    parser.add_argument("--orders", type=int, default=1000, help="orders a run")
    parser.add_argument("--turns", type=int, default=5, help="runs of each way")
    parser.add_argument(
        "--way", action="append", choices=list(WAYS), help="only this one beside the plain one; repeatable"
    )
    given = parser.parse_args(argv)
    runs: list[Run] = []
    with collecting() as collected, platform_of_its_own(None) as platform:
        ways = [way for way in WAYS if way == PLAIN or given.way is None or way in given.way]
        sides = [Observed(platform, way, collected.address) for way in ways]
        bench = Bench(platform, tuple(sides))
        for turn in range(given.turns):
            for side in sides:
                side.wake()
                bench.run(side, WARM_UP_ORDERS, -1 - turn)
                before = collected.spans
                measured = bench.run(side, given.orders, turn)
                runs.append(Run(measured, (collected.spans - before) / given.orders))
                print(f"  {runs[-1]}", flush=True)
    print(json.dumps(costs(runs)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
