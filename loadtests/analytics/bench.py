"""Events a second, ours against a design of one task an event, on one machine in one run; the last line is JSON.

Each round runs ours, the naive design and the lean one, with the same events; medians and the ratios of each round are what may be
compared between machines. Then ours through HTTP, at 5,000, 50 and 1 event a body, and at a paced rate. RabbitMQ, the store (`appendfsync
always`), an edge and one aggregator run beside the clients. Every counter of every run is compared with a count in plain Python, and a
difference ends with exit code 1.
"""

import argparse
import json
import os
import signal
import sys
import time
from typing import Any

from loadtests.analytics import archive_pairs, archived, events, memory, over_http
from loadtests.analytics.measured import Measured
from loadtests.analytics.report import compared, table
from loadtests.analytics.rival import naive_and_lean
from loadtests.analytics.servers import Servers, start_aggregator, start_edge, started

PARTS = ("ratio", "memory", "http", "paced")
DISTINCT_EVENTS = 200_000
"""Bodies are repeated, under new keys, beyond so many events."""

HTTP_EVENTS = {5000: 2_000_000, 50: 1_000_000, 1: 20_000}
"""Events of a run by events a body."""


def main(argv: list[str]) -> int:
    """Measure; the exit code: 0 when every counter is exact."""
    parser = argparse.ArgumentParser(prog="bench analytics", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["ratio", "http", "paced"])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each design")
    parser.add_argument("--events", type=int, default=1_500_000, help="events of one run of ours")
    parser.add_argument(
        "--naive-events", type=int, default=1000, help="events of one run of a rival: the first of ours"
    )
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--contents", type=int, default=1_000)
    parser.add_argument("--zipf", action="store_true", help="draw users and contents by Zipf's law")
    parser.add_argument(
        "--archive", action="store_true", help="with an archiver; it is waited for and measured as well"
    )
    parser.add_argument(
        "--archive-pairs", type=int, default=0, help="only this: so many runs without and with an archiver, in turn"
    )
    parser.add_argument("--paced", type=int, default=100_000, help="events a second of the paced run")
    parser.add_argument("--paced-seconds", type=int, default=60)
    options = parser.parse_args(argv)
    # So that everything that was started is ended, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.archive_pairs:
        found = archive_pairs.measure(options.archive_pairs, options.events)
        # A run that is not exact has ended it.
        print(json.dumps({"capstone": "analytics", "archive": found, "exact": True, "load": _load()}))
        return 0
    with started({"LOG_LEVEL": "ERROR", **(archived.SETTINGS if options.archive else {})}) as servers:
        os.environ.update(servers.environment)  # the service reads its settings when it is imported
        start_aggregator(servers)
        if options.archive:
            archived.start(servers)
        bench = Bench(servers, options)
        for part in options.parts:
            getattr(bench, part)()
    print(table(bench.results))
    exact = not any(result.differences for result in bench.results)
    print(json.dumps({"capstone": "analytics", **bench.document, "exact": exact, "load": _load()}))
    return 0 if exact else 1


def _load() -> float:
    return round(os.getloadavg()[0], 1)


class Bench:
    """The parts of the bench. Each adds to `results` and to `document`."""

    def __init__(self, servers: Servers, options: Any) -> None:
        self._servers = servers
        self._options = options
        self.results: list[Measured] = []
        self.document: dict[str, Any] = {}

    def ratio(self) -> None:
        """Ours, naive, lean; as often as there are rounds."""
        rivals = naive_and_lean(self._servers)
        made = self._bodies(events.EVENTS)
        sent = [event for body in made for event in body][: self._options.naive_events]
        results = []
        for _ in range(self._options.rounds):
            results.append(self._memory(made))
            results.extend(self._note(rival.measure(sent)) for rival in rivals)
        self.document.update(compared(results))

    def memory(self) -> None:
        """Ours alone, for profiling."""
        for _ in range(self._options.rounds):
            found = self._memory(self._bodies(events.EVENTS))
            self.document["memory"] = found.document()

    def http(self) -> None:
        """As many events as the machine takes, at each size of a body."""
        port = self._edge()
        self.document["http"] = {}
        for size, total in HTTP_EVENTS.items():
            found = over_http.measure(self._servers, port, self._bodies(size), total // size, f"http-{size}")
            self.document["http"][size] = self._note(found).document()

    def paced(self) -> None:
        """A rate that is less than the machine takes."""
        port, options = self._edge(), self._options
        rate = options.paced / events.EVENTS
        requests = round(rate * options.paced_seconds)
        made = self._bodies(events.EVENTS)
        found = over_http.measure(self._servers, port, made, requests, "paced", per_second=rate)
        self.document["paced"] = self._note(found).document()

    def _memory(self, made: list[list[dict[str, object]]]) -> Measured:
        requests = max(1, self._options.events // events.EVENTS)
        return self._note(memory.measure(self._servers, made, requests, f"memory-{time.monotonic_ns()}"))

    def _bodies(self, size: int) -> list[list[dict[str, object]]]:
        options = self._options
        now_ms = time.time_ns() // 1_000_000
        count = min(DISTINCT_EVENTS // size, 4000)
        return events.bodies(
            count, users=options.users, contents=options.contents, zipf=options.zipf, now_ms=now_ms, size=size
        )

    def _edge(self) -> int:
        if "edge" not in self._servers.pids:
            self._port = start_edge(self._servers)
        return self._port

    def _note(self, result: Measured) -> Measured:
        self.results.append(result)
        print(f"  {result}", flush=True)
        return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
