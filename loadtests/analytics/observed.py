"""`python -m loadtests.analytics.observed`: what metrics and traces cost an event in CPU, in one process without any server.

Edge and aggregator do here what they do themselves: a request from the ASGI application to the batch that would be published, and a window
from its messages to what the store would be told. The same process takes a slice plainly, which counts and traces nothing, and in each
other way, in turns; so what differs is what counts and traces, however busy the machine is.

Recorded spans are handed over and not sent, because the sender's thread would work in anybody's slice. What sending takes is told apart:
`export_ms` is for the spans of a second at 100,000 events a second, to a collector in another process, and `exports_percent` is what one
export a second of edge and one of aggregator take of the CPU that they need for those events. The last line is JSON.
"""

import argparse
import gc
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from loadtests.analytics import events
from loadtests.pairs import PLAIN, costs, middle, slices

RATE = 100_000
REQUESTS = 8
"""Different ones; a slice has one of them, and a window."""
BATCHES = 5
"""Of a window: as many as come in a quarter of a second at that rate."""
EXPORTS = 50
WAYS: Mapping[str, tuple[bool, float | None]] = {
    PLAIN: (False, None),
    "metrics": (True, None),
    "metrics and 10 % of the traces": (True, 0.1),
    "metrics and 100 % of the traces": (True, 1.0),
}


class Watching:
    """Switches what counts and traces on and off in this process."""

    def __init__(self, collector: str, folder: str) -> None:
        # The library reads where it counts when it is imported.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        from opentelemetry.sdk.resources import Resource

        from chassis import metrics, span_export, tracing
        from loadtests.analytics.here import SETTINGS

        self._metrics: Any = metrics
        self._tracing: Any = tracing
        self._counting = metrics.Metrics("bench")
        self.spans: list[Any] = []
        self._sink = SimpleNamespace(on_end=self.spans.append)
        vars(tracing)["_resource"] = Resource.create({"service.name": "analytics", "pool": "bench"})
        told = SETTINGS.replace(otel_exporter_otlp_endpoint=collector)
        self.exporter = span_export.Exporter(endpoint=f"{told.otel_exporter_otlp_endpoint}/v1/traces", timeout=10)

    def be(self, way: str) -> None:
        """Watch in this way from now on."""
        counts, share = WAYS[way]
        self._metrics._set = self._counting if counts else None
        self._tracing._sink = None if share is None else self._sink
        self._tracing._ratio = share or 0.0

    def export_ms(self, spans: int) -> float:
        """Milliseconds of CPU for sending so many of the spans that there were."""
        self._metrics._set = self._counting
        some = self.spans[:spans]
        self.exporter.export(some)  # connects
        began = time.process_time()
        for _ in range(EXPORTS):
            self.exporter.export(some)
        return (time.process_time() - began) / EXPORTS * 1000


def _collect(pipe: Any) -> None:
    from loadtests.orders.observed import collecting

    with collecting() as collected:
        pipe.send(collected.address)
        pipe.recv()


@contextmanager
def collector() -> Iterator[str]:
    """The address of one in another process."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_collect, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        process.join()


def measure(watching: Watching, body: int, turns: int, count: int) -> dict[str, Any]:
    """The costs of an event at the edge, in the aggregator, and of both."""
    from loadtests.analytics.here import Aggregator, Edge

    now_ms = time.time_ns() // 1_000_000
    made = events.bodies(REQUESTS, users=10_000, contents=1_000, zipf=False, now_ms=now_ms, size=body)
    lines = [events.ndjson(one) for one in made]
    edge = Edge(now_ms)
    for way in WAYS:
        watching.be(way)
        edge.observe(way != PLAIN)
        edge.post(lines[0])
        Aggregator(edge.published.messages, now_ms, BATCHES).flush()
    gc.collect()
    gc.freeze()
    found: dict[str, list[dict[str, float]]] = {"edge": [], "aggregator": [], "both": []}
    for number in range(turns):
        taken: dict[str, dict[str, list[float]]] = {
            stage: {way: [] for way in WAYS} for stage in ("edge", "aggregator")
        }
        for place, way in enumerate(slices(list(WAYS), count, number)):
            watching.be(way)
            edge.observe(way != PLAIN)
            began = time.process_time_ns()
            edge.post(lines[place // len(WAYS) % REQUESTS])
            ended = time.process_time_ns()
            window = Aggregator(edge.published.messages, now_ms, BATCHES)
            flushing = time.process_time_ns()
            window.flush()
            taken["aggregator"][way].append((time.process_time_ns() - flushing) / BATCHES)
            taken["edge"][way].append(ended - began)
        del watching.spans[:-1000]
        spent = {
            stage: {way: middle(ns) / body / 1000 for way, ns in by_way.items()} for stage, by_way in taken.items()
        }
        for stage, by_way in spent.items():
            found[stage].append(by_way)
        found["both"].append({way: sum(by_way[way] for by_way in spent.values()) for way in WAYS})
        print(f"  {', '.join(f'{way} {us:.4f} us' for way, us in found['both'][-1].items())}", flush=True)
    edge.close()
    return {stage: costs(all_turns) for stage, all_turns in found.items()}


def main(argv: list[str]) -> int:
    """Measure; the last line is JSON."""
    parser = argparse.ArgumentParser(prog="observed", description=__doc__)
    parser.add_argument("--body", type=int, default=events.EVENTS, help="events a request")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--slices", type=int, default=150, help="slices of each way in a turn")
    given = parser.parse_args(argv)
    with collector() as address, tempfile.TemporaryDirectory(prefix="observed-") as folder:
        watching = Watching(address, folder)
        found = measure(watching, given.body, given.turns, given.slices)
        requests = RATE // given.body
        exports = {
            share: round(watching.export_ms(max(1, round(requests * 2 * part))), 2)
            for share, part in (("10 %", 0.1), ("100 %", 1.0))
        }
    cpu_ms = found["both"][PLAIN]["us"] * RATE / 1000
    document = {
        "capstone": "analytics",
        "bench": "observed",
        "events_a_body": given.body,
        **found,
        "export_ms": exports,
        "exports_percent": {share: round(2 * ms / cpu_ms * 100, 2) for share, ms in exports.items()},
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
