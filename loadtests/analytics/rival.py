"""The rival's side: its worker, its producer, and a server with Redis' default configuration, in two variants (see naive/app.py)."""

import json
import subprocess
import sys
import time
from pathlib import Path

import redis

from conductor.laptop.servers import valkey
from loadtests.analytics import counters, events
from loadtests.analytics.measured import Measured
from loadtests.analytics.servers import Servers, free_port, wait
from loadtests.orders import cpu

APP = "loadtests.analytics.naive.app"
PREFORK = 2


class Rival:
    """One variant. Its worker idles while others are measured."""

    def __init__(self, servers: Servers, name: str, settings: dict[str, str], stages: tuple[str, ...]) -> None:
        self.name = name
        self._servers = servers
        self._settings = {**servers.plain, **settings}
        self._stages = stages
        worker = [sys.executable, "-m", "celery", "--app", APP, "worker"]
        log = servers.run(
            f"{name}-worker", [*worker, f"--concurrency={PREFORK}", "--hostname", f"{name}@%h"], self._settings
        )
        wait(lambda: "] ready" in _text(log), f"the worker of {name}")

    def measure(self, sent: list[dict[str, object]]) -> Measured:
        """Have `sent` counted, from the first message to the last counter. Empties its databases before."""
        expected = events.expected([sent], [1])
        with redis.Redis.from_url(self._settings["NAIVE_COUNTERS_URL"]) as store:
            store.flushdb()
            with self._producer() as producer:
                assert producer.stdin is not None
                stages = {"producer": [producer.pid], **self._servers.stages(*self._stages, f"{self.name}-worker")}
                before = cpu.seconds(stages)
                began = time.monotonic()
                producer.stdin.write("".join(json.dumps(event) + "\n" for event in sent))
                producer.stdin.flush()
                counters.await_rivals(store, [key for key in expected if not key.startswith("ct:")], len(sent))
                seconds = time.monotonic() - began
                spent = cpu.since(before, stages)
            wrong = counters.differences(store, counters.RIVALS, expected)
        return Measured(self.name, len(sent), seconds, spent, wrong)

    def _producer(self) -> "subprocess.Popen[str]":
        producer = subprocess.Popen(
            [sys.executable, "-m", "loadtests.analytics.naive.send"],
            env=self._settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert producer.stdout is not None
        producer.stdout.readline()
        return producer


def naive_and_lean(servers: Servers) -> list[Rival]:
    """Both variants. Each has a database of the same Redis for its counters; only the naive one has it for more."""
    port = free_port()
    folder = servers.folder / "redis"
    folder.mkdir()
    server = [str(valkey.binary()), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    servers.run("redis", server, servers.plain)
    address = f"redis://127.0.0.1:{port}"
    wait(lambda: _answers(f"{address}/0"), "the rival's Redis")
    naive = {"NAIVE_BROKER_URL": f"{address}/0", "NAIVE_RESULTS_URL": f"{address}/0", "NAIVE_COMPRESSION": "gzip"}
    lean = {"NAIVE_BROKER_URL": servers.environment["BROKER_URL"]}
    return [
        Rival(servers, "naive", {**naive, "NAIVE_COUNTERS_URL": f"{address}/1"}, ("redis",)),
        Rival(servers, "lean", {**lean, "NAIVE_COUNTERS_URL": f"{address}/2"}, ("redis", "rabbitmq")),
    ]


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _text(log: Path) -> str:
    return log.read_text(errors="replace") if log.exists() else ""
