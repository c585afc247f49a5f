"""`python -m loadtests.analytics.observed`: what metrics and traces cost an event in CPU, at the edge and in the aggregator.

Each way has an edge and an aggregator of its own, beside one broker and one store. They take turns in slices of a million events, because
spans are sent once a second whatever came in it, and each is compared with the plain one of the same turn, which counts and traces nothing
at all. It needs a machine to itself; loadtests.analytics.observed_stages needs none.

CPU time is that of edge and aggregator, by the kernel, with what they send to the collector after their slice. Trends and recommendations
are not worked out, so that nothing but counting is compared with. Nobody scrapes meanwhile: what a scrape costs is told apart. Every event
is counted, or the bench fails; the last line is JSON.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from loadtests.analytics import counters, events
from loadtests.analytics.http_client import send
from loadtests.analytics.over_http import CONNECTIONS
from loadtests.analytics.servers import Servers, free_port, start_aggregator, start_edge, started
from loadtests.orders.observed import collecting
from loadtests.pairs import PLAIN, costs, cpu_ns, slices

WAYS: Mapping[str, tuple[bool, float | None]] = {
    PLAIN: (False, None),
    "metrics": (True, None),
    "metrics and 10 % of the traces": (True, 0.1),
    "metrics and 100 % of the traces": (True, 1.0),
}
"""Whether metrics are counted, and the share of traces that is recorded; None is no tracing at all."""

QUIET_SECONDS = 1.5
"""After a turn: what ended is sent to the collector once a second."""

SCRAPES = 20


@dataclass
class Side:
    """Edge and aggregator of one way."""

    way: str
    servers: Servers
    port: int
    scraped: list[int]
    """Ports of the metrics."""
    sent: int = 0
    busy: dict[str, int] = field(default_factory=dict)

    def cpu(self) -> dict[str, int]:
        """Nanoseconds of each process."""
        return {stage: cpu_ns(self.servers.pids[stage][0]) for stage in ("edge", "aggregate")}

    def take(self, bodies: Sequence[bytes], size: int) -> None:
        """Send bodies until they are counted."""
        keyed = [(f"{self.sent}-{number}", body, size) for number, body in enumerate(bodies)]
        before = self.cpu()
        asyncio.run(send(self.port, iter(keyed), connections=CONNECTIONS[size]))
        self.sent += len(bodies) * size
        with redis.Redis.from_url(self.servers.environment["COUNTERS_URL"]) as store:
            counters.await_ours(store, self.sent)
        for stage, now in self.cpu().items():
            self.busy[stage] = self.busy.get(stage, 0) + now - before[stage]

    def scrape_ms(self) -> float:
        """Milliseconds of CPU that one scrape of both processes takes them."""
        before = sum(self.cpu().values())
        for _ in range(SCRAPES):
            for port in self.scraped:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read()
        return (sum(self.cpu().values()) - before) / SCRAPES / 1e6


def _started(servers: Servers, way: str, collector: str) -> Side:
    metrics, share = WAYS[way]
    place = servers.beside(_name(way), {})
    ports = []
    if share is not None:
        place.environment.update(OTEL_EXPORTER_OTLP_ENDPOINT=collector, OTEL_TRACES_SAMPLER_ARG=str(share))
    if metrics:
        ports = [free_port(), free_port()]
        place.environment.update(METRICS_PORT=str(ports[0]), PROMETHEUS_MULTIPROC_DIR=str(place.folder / "metrics"))
    start_aggregator(place)
    # An API counts in memory, because it has no children.
    place.environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    if metrics:
        place.environment["METRICS_PORT"] = str(ports[1])
    port = start_edge(place, "loadtests.analytics.unwatched" if way == PLAIN else "analytics.app")
    return Side(way, place, port, ports)


def _name(way: str) -> str:
    """As a folder and a vhost may be called."""
    return "".join(letter if letter.isalnum() else "-" for letter in way)


def turn(sides: Mapping[str, Side], bodies: Sequence[bytes], count: int, size: int, seed: int) -> dict[str, float]:
    """By way the microseconds of CPU an event of one turn, in which each sends the bodies so many times."""
    began = {way: side.cpu() for way, side in sides.items()}
    for side in sides.values():
        side.busy = {}
    for way in slices(list(sides), count, seed):
        sides[way].take(bodies, size)
    time.sleep(QUIET_SECONDS)
    whole = {way: sum(side.cpu().values()) - sum(began[way].values()) for way, side in sides.items()}
    # What an idle process takes is the same for all, and is left out: the plain one sends nothing after its slices.
    idle = whole[PLAIN] - sum(sides[PLAIN].busy.values())
    return {way: (spent - idle) / (count * len(bodies) * size) / 1000 for way, spent in whole.items()}


def main(argv: list[str]) -> int:
    """Measure; the last line is JSON."""
    parser = argparse.ArgumentParser(prog="observed", description=__doc__)
    parser.add_argument("--body", type=int, choices=sorted(CONNECTIONS), default=events.EVENTS, help="events a request")
    parser.add_argument("--slice", type=int, default=1_000_000, help="events of one slice")
    parser.add_argument("--slices", type=int, default=1, help="slices of each way in a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument(
        "--way", action="append", choices=list(WAYS), help="only this one beside the plain one; repeatable"
    )
    given = parser.parse_args(argv)
    # So that everything that was started is ended, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ways = [way for way in WAYS if way == PLAIN or given.way is None or way in given.way]
    settings = {"LOG_LEVEL": "ERROR", "TRENDS": "false", "RECOMMENDATIONS": "false"}
    now_ms = time.time_ns() // 1_000_000
    requests = max(1, given.slice // given.body)
    made = events.bodies(requests, users=10_000, contents=1_000, zipf=False, now_ms=now_ms, size=given.body)
    bodies = [events.ndjson(body) for body in made]
    found: list[dict[str, float]] = []
    with collecting() as collected, started(settings, *map(_name, ways)) as servers:
        sides = {way: _started(servers, way, collected.address) for way in ways}
        turn(sides, bodies[: len(bodies) // 5 + 1], 1, given.body, -1)  # warms up
        for number in range(given.turns):
            found.append(turn(sides, bodies, given.slices, given.body, number))
            print(f"  {', '.join(f'{way} {us:.3f} us' for way, us in found[-1].items())}", flush=True)
        scrapes = {way: round(side.scrape_ms(), 2) for way, side in sides.items() if side.scraped}
    document: dict[str, Any] = {
        "capstone": "analytics",
        "bench": "observed",
        "events_a_body": given.body,
        "ways": costs(found),
    }
    document |= {"spans": collected.spans, "scrape_ms": scrapes, "load": round(os.getloadavg()[0], 1)}
    print(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
