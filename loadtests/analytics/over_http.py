"""Our side with HTTP: as much as it takes, or a paced rate, to exact counters. This process is all clients."""

import asyncio
import threading
import time
from collections.abc import Iterator

import psutil
import redis

from loadtests.analytics import counters, events
from loadtests.analytics.http_client import send
from loadtests.analytics.measured import Measured
from loadtests.analytics.memory import times
from loadtests.analytics.servers import Servers
from loadtests.analytics.visibility import delays, quantile, watched
from loadtests.orders import cpu

STAGES = ("edge", "rabbitmq", "valkey", "aggregate")
CONNECTIONS = {5000: 24, 500: 100, 50: 400, 1: 400}
"""Connections by events a body: a small body waits in the edge for others, up to BATCH_LINGER_MS, so few clients would wait only."""

MEMORY_EVERY_SECONDS = 1.0


def measure(
    servers: Servers,
    port: int,
    made: list[list[dict[str, object]]],
    requests: int,
    name: str,
    *,
    per_second: float | None = None,
) -> Measured:
    """Send `requests` bodies, those of `made` one after the other; returns when all are counted. Empties the store before."""
    size = len(made[0])
    raw = [events.ndjson(body) for body in made]
    total = requests * size
    connections = CONNECTIONS[size]
    address = servers.environment["COUNTERS_URL"]
    with redis.Redis.from_url(address) as store:
        store.flushdb()
        stages = servers.stages(*STAGES)
        memory = _Memory(stages)
        with memory, watched(address) as seen:
            before, own = cpu.seconds(stages), time.process_time()
            began = time.monotonic()
            sent = asyncio.run(
                send(port, _bodies(raw, requests, name, size), connections=connections, per_second=per_second)
            )
            answered = time.monotonic() - began
            counters.await_ours(store, total)
            seconds = time.monotonic() - began
            time.sleep(0.05)  # the watch sees the last window
            spent = {"clients": time.process_time() - own, **cpu.since(before, stages)}
        wrong = counters.differences(store, counters.OURS, events.expected(made, times(requests, len(made))))
    more = {
        "answered_seconds": round(answered, 2),
        "repeats": sum(one.repeats for one in sent),
        "visible_seconds": _spread(delays(sent, seen)),
        "answer_seconds": _spread(sorted(one.answered - one.sent for one in sent)),
        "cores": {stage: round(used / seconds, 3) for stage, used in spent.items()},
        "cores_beyond_edge": round(sum(spent[stage] for stage in STAGES[1:]) / seconds, 3),
        "memory_mb": memory.first_and_last(),
    }
    return Measured("paced" if per_second else f"http {size}", total, seconds, spent, wrong, more)


def _bodies(raw: list[bytes], requests: int, name: str, size: int) -> Iterator[tuple[str, bytes, int]]:
    for number in range(requests):
        yield f"{name}-{number}", raw[number % len(raw)], size


def _spread(ascending: list[float]) -> dict[str, float]:
    return {
        "p50": round(quantile(ascending, 0.5), 3),
        "p99": round(quantile(ascending, 0.99), 3),
        "max": round(ascending[-1], 3),
    }


class _Memory:
    """Resident memory of each stage, noted every second."""

    def __init__(self, stages: dict[str, list[int]]) -> None:
        self._stages = stages
        self._seen: list[dict[str, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def first_and_last(self) -> dict[str, list[int]]:
        """By stage: the means of the second and of the last quarter of the run, in MB. The first quarter is warming up."""
        quarter = max(1, len(self._seen) // 4)
        parts = (self._seen[quarter : 2 * quarter] or self._seen, self._seen[-quarter:])
        return {stage: [round(sum(one[stage] for one in part) / len(part)) for part in parts] for stage in self._stages}

    def _watch(self) -> None:
        while True:
            self._seen.append({stage: _resident(pids) for stage, pids in self._stages.items()})
            if self._ended.wait(MEMORY_EVERY_SECONDS):
                return


def _resident(pids: list[int]) -> float:
    processes = [each for pid in pids for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]
    return sum(float(each.memory_info().rss) for each in processes if each.is_running()) / 1e6
