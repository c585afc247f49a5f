"""Our side without HTTP: raw JSON in memory to exact counters.

This process is the edge: it parses bodies, cuts them into parts, makes batches and publishes them with confirms, by the code that the
API runs.
"""

import asyncio
import time

import redis

from loadtests.analytics import archived, counters, events
from loadtests.analytics.http_client import RETRY_SECONDS
from loadtests.analytics.measured import Measured
from loadtests.analytics.servers import Servers
from loadtests.orders import cpu

IN_FLIGHT = 24
"""Bodies whose confirm is awaited at a time."""

STAGES = ("rabbitmq", "valkey", "aggregate", "archive")


def measure(servers: Servers, made: list[list[dict[str, object]]], requests: int, name: str) -> Measured:
    """Send `requests` bodies, those of `made` one after the other; returns when all are counted. Empties the store before."""
    raw = [events.ndjson(body) for body in made]
    total = requests * len(made[0])
    with redis.Redis.from_url(servers.environment["COUNTERS_URL"]) as store:
        store.flushdb()
        stages = servers.stages(*STAGES)
        rows, size = archived.rows_and_bytes(servers) if "archive" in stages else (0, 0)
        before, own = cpu.seconds(stages), time.process_time()
        began = time.monotonic()
        repeats = asyncio.run(_send(raw, requests, name))
        confirmed = time.monotonic() - began
        counters.await_ours(store, total)
        seconds = time.monotonic() - began
        more: dict[str, float] = {"confirmed_seconds": round(confirmed, 2), "repeats": repeats}
        if "archive" in stages:
            archived.await_rows(servers, rows + total)
            more["archived_seconds"] = round(time.monotonic() - began, 2)
            more["archived_bytes_per_event"] = round((archived.rows_and_bytes(servers)[1] - size) / total, 1)
        spent = {"edge": time.process_time() - own, **cpu.since(before, stages)}
        wrong = counters.differences(store, counters.OURS, events.expected(made, times(requests, len(made))))
    return Measured("ours", total, seconds, spent, wrong, more)


def times(requests: int, distinct: int) -> list[int]:
    """How often each of `distinct` bodies is sent when `requests` are, one after the other."""
    return [len(range(first, requests, distinct)) for first in range(distinct)]


async def _send(raw: list[bytes], requests: int, name: str) -> int:
    from analytics.app import make_collector  # reads its settings from the environment when it is imported
    from analytics.domain.parsing import parse_lines
    from analytics.domain.parts import cut
    from analytics.usecases.collect import Overloaded

    collector = make_collector()
    places = asyncio.Semaphore(IN_FLIGHT)

    repeats = 0

    async def post(number: int) -> None:
        nonlocal repeats
        while True:
            parsed = parse_lines(raw[number % len(raw)], limit=events.EVENTS)
            try:
                await collector.add(list(cut("bench", f"{name}-{number}", parsed.events)))
                break
            except Overloaded:
                # As a client does: the same body under the same key, whose parts are counted once.
                repeats += 1
                await asyncio.sleep(RETRY_SECONDS)
        places.release()

    async with asyncio.TaskGroup() as group:
        for number in range(requests):
            await places.acquire()
            group.create_task(post(number))
    await collector.close()
    return repeats
