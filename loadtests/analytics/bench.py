"""`python -m loadtests.analytics.bench`: raw JSON in memory to exact counters; the last line is JSON.

This process is the edge: it parses bodies, cuts them into parts, makes batches and publishes them with confirms, by the code that the
API runs, without HTTP. RabbitMQ, the store (`appendfsync always`) and one aggregator run beside it. Every counter is compared with a
count in plain Python, and a difference ends with exit code 1.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import redis

from loadtests.analytics import events
from loadtests.analytics.servers import Servers, started
from loadtests.orders import cpu

IN_FLIGHT = 24
"""Bodies whose confirm is awaited at a time."""


def main(argv: list[str]) -> int:
    """Run; the exit code: 0 when every counter is exact."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--contents", type=int, default=1_000)
    parser.add_argument("--zipf", action="store_true", help="draw users and contents by Zipf's law")
    options = parser.parse_args(argv)
    outcomes = []
    with started({"ANSWER_SECONDS": "60", "LOG_LEVEL": "ERROR"}) as servers:
        os.environ.update(servers.environment)  # the service reads its settings when it is imported
        for run in range(options.runs):
            with redis.Redis.from_url(servers.environment["COUNTERS_URL"]) as store:
                store.flushdb()
            outcomes.append(_measure(servers, options, run))
            print(json.dumps(outcomes[-1]), flush=True)
    ranked = sorted(outcomes, key=lambda outcome: outcome["events_per_second"])
    print(json.dumps({"capstone": "analytics", "bench": "memory", **ranked[len(ranked) // 2], "runs": len(ranked)}))
    return 0 if all(outcome["exact"] for outcome in outcomes) else 1


def _measure(servers: Servers, options: Any, run: int) -> dict[str, Any]:
    requests = max(1, options.events // events.EVENTS)
    distinct = min(requests, 40)
    made = events.bodies(
        distinct, users=options.users, contents=options.contents, zipf=options.zipf, now_ms=time.time_ns() // 1_000_000
    )
    raw = [events.ndjson(body) for body in made]
    before, own = cpu.seconds(servers.pids), time.process_time()
    began = time.monotonic()
    asyncio.run(_send(raw, requests, f"run-{run}"))
    confirmed = time.monotonic() - began
    with redis.Redis.from_url(servers.environment["COUNTERS_URL"]) as store:
        while int(store.hget("{0}:meta", "events") or 0) < requests * events.EVENTS:  # type: ignore[arg-type]
            time.sleep(0.005)
        seconds = time.monotonic() - began
        spent = {**cpu.since(before, servers.pids), "edge": time.process_time() - own}
        total = requests * events.EVENTS
        times = [len(range(first, requests, distinct)) for first in range(distinct)]
        exact = _counters(store) == events.expected(made, times)
    return {
        "events": total,
        "events_per_second": round(total / seconds),
        "seconds": round(seconds, 2),
        "confirmed_seconds": round(confirmed, 2),
        "exact": exact,
        "cpu_us_per_event": {stage: round(used / total * 1e6, 2) for stage, used in spent.items()},
        "cpu_us": round(sum(spent.values()) / total * 1e6, 2),
        "bytes_per_event": round(sum(map(len, raw)) / distinct / events.EVENTS),
        "load_average": round(os.getloadavg()[0], 1),
    }


async def _send(raw: list[bytes], requests: int, name: str) -> None:
    from analytics.app import make_collector
    from analytics.domain.parsing import parse_lines
    from analytics.domain.parts import cut

    collector = make_collector()
    places = asyncio.Semaphore(IN_FLIGHT)

    async def post(number: int) -> None:
        parsed = parse_lines(raw[number % len(raw)], limit=events.EVENTS)
        try:
            await collector.add(list(cut("bench", f"{name}-{number}", parsed.events)))
        finally:
            places.release()

    async with asyncio.TaskGroup() as group:
        for number in range(requests):
            await places.acquire()
            group.create_task(post(number))
    await collector.close()


def _counters(store: "redis.Redis") -> Mapping[str, Mapping[str, int]]:
    keys = [key for key in store.scan_iter(count=1000) if not key.startswith((b"{0}:parts:", b"{0}:meta"))]
    return {
        key.decode().removeprefix("{0}:"): {f.decode(): int(n) for f, n in store.hgetall(key).items()}  # type: ignore[union-attr]
        for key in keys
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
