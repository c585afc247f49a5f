"""The analytics as real processes over real servers; its counters are in a Valkey of their own that a test may stop."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import sqlalchemy as sa

from chassis.migrate import migrate, scripts_of
from server_fixtures import own_cluster, own_valkey
from servers import Valkey, ValkeyCluster, free_port, wait_until

TOKENS = json.dumps({"web-token": {"client": "web"}, "analyst-token": {"role": "analyst"}})
PROBE = Path(__file__).parents[3] / "services/chassis/probe.py"


@pytest.fixture
def counters() -> Iterator[Valkey]:
    """A Valkey as the counters need it: every write is on disk before it is answered, and nothing is evicted."""
    with own_valkey("appendfsync always\n") as server:
        yield server


@pytest.fixture(scope="module")
def running_cluster() -> Iterator[ValkeyCluster]:
    with own_cluster() as made:
        yield made


@pytest.fixture
def cluster(running_cluster: ValkeyCluster) -> ValkeyCluster:
    """Three empty primaries as the counters need them."""
    running_cluster.empty()
    return running_cluster


@pytest.fixture
def replicated_cluster() -> Iterator[ValkeyCluster]:
    """Three primaries, and a replica of each of the first two."""
    with own_cluster(replicas=2) as made:
        yield made


@dataclass
class Analytics:
    """The service: its environment, and every process that was started of it."""

    folder: Path
    environment: dict[str, str]
    counters: Valkey
    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *arguments: str, log: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start `python -m <arguments>`; killed with the test."""
        with (self.folder / log).open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env={**self.environment, **environment},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def worker(
        self, name: str = "worker", *, ready: bool = True, queue: str = "aggregate", **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start an aggregator, or what consumes another queue of batches, and wait until it consumes."""
        heartbeat = self.folder / f"{name}.heartbeat"
        heartbeat.unlink(missing_ok=True)
        process = self.start(
            "celery", "--app", "analytics.app", "worker", "--queues", f"analytics.{queue}", "--pool", "solo",
            "--concurrency", "1", "--hostname", f"{name}@test", "--without-gossip", "--without-mingle",
            "--prefetch-multiplier", "1", "--time-limit", "20", "--soft-time-limit", "10", "--loglevel", "INFO",
            log=f"{name}.log", HEARTBEAT_FILE=str(heartbeat), **{"POOL": queue, **environment},
        )  # fmt: skip
        if ready:
            wait_until(lambda: self.state(name) in ("idle", "busy"), what=f"{name}:\n{self.log(f'{name}.log')}")
        return process

    def edge(self, name: str = "edge", **environment: str) -> subprocess.Popen[bytes]:
        """Start the API, and wait until it is ready."""
        process = self.start(
            "chassis.serve", "analytics.app", log=f"{name}.log", HEARTBEAT_FILE=str(self.folder / f"{name}.heartbeat"),
            HOST="127.0.0.1", PORT=str(self.port), **environment,
        )  # fmt: skip

        def ready() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(f"http://127.0.0.1:{self.port}/health/ready").status_code == 200
            return False

        wait_until(ready, what=f"the edge:\n{self.log(f'{name}.log')}")
        return process

    def send(self, events: Any, *, key: str | None = None, token: str = "web-token", **headers: str) -> httpx.Response:
        """Post events, a list or a body in bytes, and return the answer."""
        body = events if isinstance(events, bytes) else json.dumps(events).encode()
        told = {
            "Authorization": f"Bearer {token}",
            "Idempotency-Key": key or uuid.uuid4().hex,
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return httpx.post(f"http://127.0.0.1:{self.port}/events", content=body, headers=told, timeout=30)

    def ask(self, path: str, **parameters: Any) -> Any:
        """What the API answers an analyst."""
        answer = httpx.get(
            f"http://127.0.0.1:{self.port}{path}",
            params=parameters,
            headers={"Authorization": "Bearer analyst-token"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def record(self, name: str = "worker") -> dict[str, Any]:
        """The heartbeat as written last; empty before the first."""
        try:
            found: dict[str, Any] = json.loads((self.folder / f"{name}.heartbeat").read_text())
        except FileNotFoundError:
            return {}
        return found

    def state(self, name: str = "worker") -> str:
        return str(self.record(name).get("state", ""))

    def probe(self, kind: str, name: str = "worker") -> tuple[int, str]:
        """Exit code and line of the probe."""
        done = subprocess.run(
            [sys.executable, "-S", "-I", str(PROBE), kind, str(self.folder / f"{name}.heartbeat")],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def log(self, name: str) -> str:
        try:
            return (self.folder / name).read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def store(self) -> "redis.Redis":
        return redis.Redis.from_url(self.counters.url(0), decode_responses=True)

    def counted(self) -> int:
        """Events that the counters know of."""
        with self.store() as client:
            return int(client.hget("{0}:meta", "events") or 0)  # type: ignore[arg-type]

    def wait_counted(self, events: int, *, seconds: float = 15.0) -> None:
        wait_until(lambda: self.counted() >= events, what=f"{events} events counted, {self.record()} {self.log('worker.log')[-3000:]}",
                   seconds=seconds)  # fmt: skip

    def counters_now(self) -> dict[str, dict[str, int]]:
        """Every counter, by key without its shard and by field; without what the store knows of itself."""
        with self.store() as client:
            keys = [
                key
                for key in client.scan_iter("{0}:*", count=1000)
                if not key.startswith(("{0}:parts:", "{0}:meta", "{0}:flushes", "{0}:accepted"))
            ]
            return {
                key.removeprefix("{0}:"): {f: int(n) for f, n in client.hgetall(key).items()}  # type: ignore[union-attr]
                for key in sorted(keys)
            }

    def rows(self, query: str) -> list[Any]:
        with sa.create_engine(self.environment["DATABASE_URL"], poolclass=sa.NullPool).begin() as conn:
            return list(conn.execute(sa.text(query)))

    def parked(self) -> list[tuple[str, str]]:
        """Reason and detail of everything parked, in order."""
        return [tuple(row) for row in self.rows("SELECT reason, detail FROM parked ORDER BY id")]


def expected(events: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Every counter that these events make, each counted by itself in plain Python."""
    found: dict[str, Counter[str]] = {}

    def add(key: str, name: str) -> None:
        found.setdefault(key, Counter())[name] += 1

    for event in events:
        minute = event["at_ms"] // 60_000
        add(f"c:{event['kind']}:{minute}", event["content"])
        add(f"ct:{event['kind']}", event["content"])
        add(f"u:{minute // 60}", event["user"])
        add(f"t:{event['kind']}:{minute // 60}", str(minute))
    return {key: dict(counts) for key, counts in sorted(found.items())}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def analytics_on(tmp_path: Path, database_url: str, counters: Valkey) -> Iterator[Callable[..., Analytics]]:
    """Makes the service on a broker of the test's choice."""
    migrate(database_url, scripts_of("analytics.app"))
    made: list[Analytics] = []

    def make(broker_url: str, **environment: str) -> Analytics:
        variables = {
            "BROKER_URL": broker_url,
            "DATABASE_URL": database_url,
            "COUNTERS_URL": counters.url(0),
            "COUNTERS_TIMEOUT_SECONDS": "2",
            "API_TOKENS": TOKENS,
            # A busy machine is no broken broker.
            "ANSWER_SECONDS": "10",
            "POOL": "aggregate",
            **environment,
        }
        made.append(Analytics(tmp_path, {**os.environ, **variables}, counters, free_port()))
        return made[-1]

    yield make
    for service in made:
        for process in service.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def analytics(analytics_on: Callable[..., Analytics], broker_url: str) -> Analytics:
    """The service, once on each kind of broker."""
    return analytics_on(broker_url)


@pytest.fixture
def rabbit_analytics(analytics_on: Callable[..., Analytics], rabbitmq_url: str) -> Analytics:
    """The service on RabbitMQ."""
    return analytics_on(rabbitmq_url)


@pytest.fixture(name="expected")
def expected_fixture() -> Callable[[list[dict[str, Any]]], dict[str, dict[str, int]]]:
    """Every counter that some events make, counted in plain Python."""
    return expected


@pytest.fixture
def now() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return now_ms()
