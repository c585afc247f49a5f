"""A worker of the engine pool, and the API beside it, as processes of a test."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from servers import free_port, wait_until
from trading.adapters.control_client import ask
from trading.domain.terms import Input, Phase

TOKENS = {
    "secret": {"session": 1, "company": "CLIENT1", "accounts": [1]},
    "first-operator": {"person": 1},
    "second-operator": {"person": 2},
}


class EnginePool:
    """A worker of the engine pool."""

    def __init__(self, folder: Path, broker_url: str, **environment: str) -> None:
        self.folder, self.fix_port, self.door_port, self.metrics_port = folder, free_port(), free_port(), free_port()
        self.api_port = free_port()
        self.data = folder / "shard"
        self._heartbeat = folder / "heartbeat"
        self._log = folder / "worker.log"
        self.environment = {
            "BROKER_URL": broker_url,
            "DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none",
            "API_TOKENS": json.dumps(TOKENS),
            "SYMBOLS": json.dumps({"SYM1": {"id": 1}}),
            "DATA_DIR": str(self.data),
            "FIX_PORT": str(self.fix_port),
            "DOOR_PORT": str(self.door_port),
            "HEARTBEAT_FILE": str(self._heartbeat),
            "METRICS_PORT": str(self.metrics_port),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            **environment,
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        self.process = self._run(
            "celery", "--app", "trading.app", "worker", "--queues", "trading.engine", "--pool", "solo", "--concurrency", "1",
            "--hostname", "engine@test", "--without-gossip", "--without-mingle", "--prefetch-multiplier", "1", "--time-limit", "20",
            "--soft-time-limit", "10", "--disable-prefetch",
        )  # fmt: skip

    def _run(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env={**os.environ, **self.environment, **environment},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def serve(self) -> None:
        """Start the API, and wait until it is ready."""
        self._run(
            "chassis.serve",
            "trading.app",
            PORT=str(self.api_port),
            ANSWER_SECONDS="2",
            METRICS_PORT="0",
            HEARTBEAT_FILE=str(self.folder / "api.heartbeat"),
        )

        def ready() -> bool:
            try:
                return self.call("GET", "/health/ready").status_code == 200
            except httpx.HTTPError:
                return False

        self.until(ready)

    def call(self, method: str, path: str, token: str = "secret", **body: Any) -> httpx.Response:
        """Ask the API."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.request(
            method, f"http://127.0.0.1:{self.api_port}{path}", headers=headers, json=body or None, timeout=10
        )

    def end(self) -> None:
        """Kill what runs."""
        for process in self.processes:
            process.kill()
            process.wait()

    @property
    def state(self) -> str:
        """What the heartbeat says."""
        try:
            return str(json.loads(self._heartbeat.read_text())["state"])
        except FileNotFoundError:
            return ""

    def log(self) -> str:
        """What the worker has logged so far."""
        return self._log.read_text()

    def until(self, true: Callable[[], object]) -> None:
        """Wait, and say what the worker says when it was in vain."""
        try:
            wait_until(lambda: bool(true()), what="the engine pool", seconds=30)
        except pytest.fail.Exception as failure:
            raise AssertionError(f"{failure}:\n{self.log()[-3000:]}") from None

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
