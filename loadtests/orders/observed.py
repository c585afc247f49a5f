"""`python -m loadtests.orders.observed`: what metrics and traces cost an order in CPU, each against the same pools that show nothing.

The ways take turns (A B C D A B C D …) on one platform, and each is compared with the plain run of its own turn, so that what else the
machine does meets all alike. CPU time is read from the kernel, not the clock. The collector of the traces takes them and answers at once;
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from conductor.laptop.platform import Platform
from conductor.laptop.runtime import LocalRuntime
from conductor.runtime import Change
from loadtests.orders.bench import WARM_UP_ORDERS, Bench, platform_of_its_own
from loadtests.orders.ours import STAGES, Ours
from loadtests.orders.report import Measured

PLAIN = "plain"
WAYS = {PLAIN: (False, 0.0), "metrics": (True, 0.0), "traces at 10 %": (False, 0.1), "traces at 100 %": (False, 1.0)}
"""Whether metrics are counted, and the share of traces that is recorded; 0 is none at all."""


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
        if share:
            told |= {"OTEL_EXPORTER_OTLP_ENDPOINT": self._collector, "OTEL_TRACES_SAMPLER_ARG": str(share)}
        return told


@contextmanager
def collecting() -> Iterator[str]:
    """The address of a collector that takes everything."""

    class Collector(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def costs(results: Sequence[Measured]) -> dict[str, Any]:
    """By way the CPU an order of each turn (µs), and the median of how much more it is than the plain run of that turn (%)."""
    spent: dict[str, list[float]] = {way: [] for way in WAYS}
    for one in results:
        spent[one.side].append(sum(one.us_per_order().values()))
    more = {
        way: statistics.median((own / plain - 1) * 100 for own, plain in zip(found, spent[PLAIN], strict=True))
        for way, found in spent.items()
    }
    return {
        way: {"cpu_us_per_order": [round(one) for one in found], "more_percent": round(more[way], 1)}
        for way, found in spent.items()
    }


def main(argv: list[str]) -> int:
    """Measure; the last line is JSON."""
    parser = argparse.ArgumentParser(prog="observed", description=__doc__)
    parser.add_argument("--orders", type=int, default=1000, help="orders a run")
    parser.add_argument("--turns", type=int, default=5, help="runs of each way")
    given = parser.parse_args(argv)
    results: list[Measured] = []
    with collecting() as collector, platform_of_its_own(None) as platform:
        sides = [Observed(platform, way, collector) for way in WAYS]
        bench = Bench(platform, tuple(sides))
        for turn in range(given.turns):
            for side in sides:
                side.wake()
                bench.run(side, WARM_UP_ORDERS, -1 - turn)
                results.append(bench.run(side, given.orders, turn))
                print(f"  {results[-1]}", flush=True)
    print(json.dumps(costs(results)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
