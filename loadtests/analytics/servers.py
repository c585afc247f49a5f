"""RabbitMQ, the store of the counters and one aggregator, of their own, for as long as a bench runs."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conductor.laptop.servers.rabbitmq import USER, VHOST, RabbitMQ
from conductor.laptop.servers.valkey import Valkey
from conductor.laptop.state import State
from conductor.run_directory import RunDirectory

START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Servers:
    """What runs: environment for processes of the service, and process ids by stage."""

    environment: dict[str, str]
    pids: dict[str, list[int]]


@contextlib.contextmanager
def started(settings: dict[str, str]) -> Iterator[Servers]:
    """Start them, wait until all answer, and kill them at the end. `settings` are those of the service, by environment variable."""
    with tempfile.TemporaryDirectory(prefix="analytics-bench-") as folder, contextlib.ExitStack() as stack:
        run = RunDirectory(Path(folder))
        run.data.mkdir(parents=True)
        state = State.fresh("rabbitmq")
        state.ports.update({name: _free_port() for name in ("rabbitmq", "epmd", "erlang", "valkey")})
        rabbitmq, valkey = RabbitMQ(run, state, dict(os.environ)), Valkey(run, state, dict(os.environ))
        pids: dict[str, list[int]] = {}
        for server in (rabbitmq, valkey):
            server.prepare()
            for program in server.programs():
                pids[program.name] = [_run(stack, program.argv, program.environment, program.directory)]
        _wait(lambda: rabbitmq.answers() and valkey.answers(), "the servers")
        port, password = state.ports["rabbitmq"], state.passwords.rabbitmq
        environment = {
            **os.environ,
            "BROKER_URL": f"amqp://{USER}:{password}@127.0.0.1:{port}/{VHOST}",
            "COUNTERS_URL": valkey.address(),
            # Only a batch that cannot be counted would be written there, and there is none.
            "DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none",
            **settings,
        }
        heartbeat = Path(folder) / "aggregate.heartbeat"
        command = [
            sys.executable,
            "-m",
            "celery",
            "--app",
            "analytics.app",
            "worker",
            "--queues",
            "analytics.aggregate",
        ]
        command += ["--pool", "solo", "--concurrency", "1", "--without-gossip", "--without-mingle"]
        command += ["--prefetch-multiplier", "1", "--time-limit", "20", "--soft-time-limit", "10"]
        pids["aggregate"] = [_run(stack, command, {**environment, "HEARTBEAT_FILE": str(heartbeat)}, Path.cwd())]
        _wait(lambda: heartbeat.exists() and json.loads(heartbeat.read_text())["state"] == "idle", "the aggregator")
        yield Servers(environment, pids)


def _run(stack: contextlib.ExitStack, argv: Sequence[str], environment: dict[str, str], folder: Path) -> int:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        argv, env=environment, cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
    )

    def end() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    stack.callback(end)
    return process.pid


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait(ready: object, what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not answer within {START_SECONDS:.0f} s")
        time.sleep(0.05)
