"""The engine pool as `celery worker` runs it: it owns a shard, tells its state by the heartbeat, and hands the journal over at its end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from fix_client import FixClient

from servers import free_port, wait_until
from trading.adapters.journal.reader import records
from trading.adapters.journal.verification import verify
from trading.adapters.snapshots import newest
from trading.domain.terms import Input, Phase
from trading.processes.control import ask

TOKENS = {
    "secret": {"session": 1, "company": "CLIENT1", "accounts": [1]},
    "first-operator": {"person": 1},
    "second-operator": {"person": 2},
}


class EnginePool:
    """A worker of the engine pool."""

    def __init__(self, folder: Path, broker_url: str, **environment: str) -> None:
        self.folder, self.fix_port, self.metrics_port = folder, free_port(), free_port()
        self.data = folder / "shard"
        self._heartbeat = folder / "heartbeat"
        self._log = folder / "worker.log"
        told = {
            "BROKER_URL": broker_url,
            "DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none",
            "API_TOKENS": json.dumps(TOKENS),
            "SYMBOLS": json.dumps({"SYM1": {"id": 1}}),
            "DATA_DIR": str(self.data),
            "FIX_PORT": str(self.fix_port),
            "HEARTBEAT_FILE": str(self._heartbeat),
            "METRICS_PORT": str(self.metrics_port),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            **environment,
        }
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "celery", "--app", "trading.app", "worker", "--queues", "trading.engine", "--pool", "solo",
                    "--concurrency", "1", "--hostname", "engine@test", "--without-gossip", "--without-mingle",
                    "--prefetch-multiplier", "1", "--time-limit", "20", "--soft-time-limit", "10", "--disable-prefetch",
                ],
                env={**os.environ, **told}, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    @property
    def state(self) -> str:
        """What the heartbeat says."""
        try:
            return str(json.loads(self._heartbeat.read_text())["state"])
        except FileNotFoundError:
            return ""

    def until(self, true: Callable[[], object]) -> None:
        """Wait, and say what the worker says when it was in vain."""
        try:
            wait_until(lambda: bool(true()), what="the engine pool", seconds=30)
        except pytest.fail.Exception as failure:
            raise AssertionError(f"{failure}:\n{self._log.read_text()[-3000:]}") from None

    def ready(self) -> bool:
        """What a kubelet is told."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.metrics_port}/health/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def metric(self, name: str) -> float:
        """A number of /metrics."""
        lines = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).rsplit(" ", 1)[1])

    def children(self) -> dict[str, psutil.Process]:
        """The processes of the shard, by what they do: the engine holds the journal, the gateway the port."""
        found = {}
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if any(connection.laddr.port == self.fix_port for connection in child.net_connections("tcp")):
                    found["gateway"] = child
                elif any(file.path.endswith("journal/lock") for file in child.open_files()):
                    found["engine"] = child
            except psutil.Error:
                continue
        return found

    def open_market(self) -> None:
        """List the one symbol, open it, and let account 1 trade."""
        control = self.data / "control"
        ask(control, Input.LIST, 1, 1, 5000)
        ask(control, Input.MARKET_DATA, 1, 1000)
        ask(control, Input.PHASE, 1, Phase.CONTINUOUS)
        [[*_, proposal]] = ask(control, Input.PROPOSE_LIMITS, 1, 1, 10**9, 10**9, 10**6, 10**12, 10**6)
        ask(control, Input.APPROVE_LIMITS, 1, 2, proposal)


@pytest.fixture
def pool(tmp_path: Path, redis_url: str) -> Iterator[EnginePool]:
    """A worker whose shard takes orders."""
    made = EnginePool(tmp_path, redis_url)
    try:
        made.until(lambda: made.state == "idle")
        made.open_market()
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def test_a_dead_child_is_told_apart_and_replaced_and_the_end_hands_the_journal_over(pool: EnginePool) -> None:
    client = FixClient(pool.fix_port)
    client.log_on()
    client.order(1)
    assert client.receive("8").get(150) == b"0"
    assert pool.ready()
    before = pool.children()
    seen = set()

    os.kill(before["engine"].pid, signal.SIGKILL)

    def replaced() -> bool:
        seen.add(pool.state)
        return pool.state == "idle" and len(seen) > 1

    pool.until(replaced)
    assert seen == {"idle", "degraded"}
    assert pool.metric("trading_shard_replacements_total") >= 1
    assert pool.metric("trading_shard_ready") == 1
    # The order before the kill, and the limits: what the dead engine counted is not forgotten.
    pool.until(lambda: pool.metric("trading_engine_input_duration_seconds_count") >= 6)
    client = FixClient(pool.fix_port, 1, client.next_out)
    client.log_on()
    client.order(2)
    assert client.receive("8").get(150) == b"0"

    children = pool.children()
    pool.process.terminate()

    assert pool.process.wait(20) == 0
    assert not any(child.is_running() for child in children.values())
    last = max(sequence for sequence, _ in records(pool.data / "journal"))
    assert last == newest(pool.data / "snapshots").sequence
    assert verify(pool.data / "journal").findings == []


def test_orders_are_taken_while_the_broker_is_away(tmp_path: Path) -> None:
    pool = EnginePool(tmp_path, f"amqp://nobody:nothing@127.0.0.1:{free_port()}//")
    try:
        pool.until(lambda: pool.state == "serving")
        pool.open_market()
        client = FixClient(pool.fix_port)
        client.log_on()
        client.order(1)

        assert client.receive("8").get(150) == b"0"
        assert pool.ready()
        os.kill(pool.children()["engine"].pid, signal.SIGKILL)
        began = time.monotonic()
        pool.until(lambda: pool.metric("trading_shard_replacements_total") >= 1)
        pool.until(pool.ready)
        assert time.monotonic() - began < 10
    finally:
        pool.process.kill()
        pool.process.wait()
