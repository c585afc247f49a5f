"""RabbitMQ, the store of the counters, an edge, an aggregator, and what the rival needs, for as long as a bench runs."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conductor.laptop.servers.rabbitmq import RabbitMQ
from conductor.laptop.servers.valkey import Valkey
from conductor.laptop.state import State
from conductor.run_directory import RunDirectory

CAPSTONE = "analytics"
START_SECONDS = 120.0


NICE = dict.fromkeys(("upkeep", "recommend"), 4)
"""Pools with the weight of their request of CPU in the chart: 100m against the edge's and the aggregator's 250m; a step of nice is 1.25."""

TOKEN = "bench"
"""What the clients of the edge show."""


@dataclass(frozen=True, slots=True)
class Servers:
    """What runs: environment for processes of the service, and process ids by stage."""

    environment: dict[str, str]
    pids: dict[str, list[int]]
    plain: dict[str, str]
    """Environment without the service's settings: Celery itself would read BROKER_URL."""
    folder: Path
    stack: contextlib.ExitStack

    def run(self, name: str, argv: Sequence[str], environment: dict[str, str]) -> Path:
        """Start a process until the end of the bench. Returns the file of what it says."""
        log = self.folder / f"{name}.log"
        self.pids[name] = [launched(self.stack, argv, environment, Path.cwd(), log)]
        return log

    def stages(self, *names: str) -> dict[str, list[int]]:
        """The process ids of some stages."""
        return {name: self.pids[name] for name in names if name in self.pids}


@contextlib.contextmanager
def started(settings: dict[str, str]) -> Iterator[Servers]:
    """Start broker and store, wait until both answer, and kill all at the end. `settings` are those of the service; in
    their values {folder} is a folder of the bench."""
    with tempfile.TemporaryDirectory(prefix="analytics-bench-") as folder, contextlib.ExitStack() as stack:
        run = RunDirectory(Path(folder))
        run.data.mkdir(parents=True)
        state = State.fresh("rabbitmq", CAPSTONE)
        state.ports.update({name: free_port() for name in ("rabbitmq", "epmd", "erlang", "valkey")})
        rabbitmq, valkey = (
            RabbitMQ(run, state, dict(os.environ), CAPSTONE),
            Valkey(run, state, dict(os.environ), CAPSTONE),
        )
        pids: dict[str, list[int]] = {}
        for server in (rabbitmq, valkey):
            pids.update(_running(stack, server))
        wait(lambda: rabbitmq.answers() and valkey.answers(), "the servers")
        plain = dict(os.environ)
        environment = {
            **plain,
            "BROKER_URL": rabbitmq.address(),
            "COUNTERS_URL": valkey.address(),
            # Only a batch that cannot be counted would be written there, and there is none.
            "DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none",
            "API_TOKENS": json.dumps({TOKEN: {"client": "bench"}}),
            **{name: value.format(folder=folder) for name, value in settings.items()},
        }
        yield Servers(environment, pids, plain, Path(folder), stack)


def _running(stack: contextlib.ExitStack, server: RabbitMQ | Valkey) -> dict[str, list[int]]:
    """Prepare and start the programs of a server. Their process ids, by name."""
    server.prepare()
    return {
        program.name: [launched(stack, program.argv, program.environment, program.directory)]
        for program in server.programs()
    }


def start_store(servers: Servers, name: str) -> str:
    """A store besides that of the counters. Its address, when it answers."""
    run = RunDirectory(servers.folder / name)
    run.data.mkdir(parents=True)
    state = State.fresh("valkey", CAPSTONE)
    state.ports["valkey"] = free_port()
    valkey = Valkey(run, state, dict(os.environ), CAPSTONE)
    (servers.pids[name],) = _running(servers.stack, valkey).values()
    wait(valkey.answers, f"the store of {name}")
    return valkey.address()


def start_aggregator(servers: Servers) -> None:
    """One worker that counts, as the chart starts it. Returns when it consumes."""
    start_worker(servers, "aggregate")


def start_worker(servers: Servers, pool: str) -> None:
    """One worker of a pool, in its own loop as the chart starts those of batches. Returns when it consumes."""
    heartbeat = servers.folder / f"{pool}.heartbeat"
    command = ["nice", "-n", f"{NICE.get(pool, 0)}", sys.executable, "-m", "celery", "--app", "analytics.app", "worker"]
    command += ["--queues", f"analytics.{pool}"]
    # A worker's remote control is a queue of its own, by this name: two of one name keep each other out.
    command += ["--hostname", f"{pool}@bench"]
    command += ["--pool", "solo", "--concurrency", "1", "--without-gossip", "--without-mingle"]
    command += ["--prefetch-multiplier", "1", "--time-limit", "20", "--soft-time-limit", "10"]
    servers.run(pool, command, {**servers.environment, "HEARTBEAT_FILE": str(heartbeat)})
    wait(lambda: heartbeat.exists() and json.loads(heartbeat.read_text())["state"] == "idle", f"the pool {pool}")


def start_edge(servers: Servers) -> int:
    """One process of the API. Returns its port when it answers."""
    port = free_port()
    command = [sys.executable, "-m", "chassis.serve", "analytics.app"]
    heartbeat = str(servers.folder / "edge.heartbeat")
    servers.run("edge", command, {**servers.environment, "PORT": str(port), "HEARTBEAT_FILE": heartbeat})
    wait(lambda: _listens(port), "the edge")
    return port


def wait(ready: Callable[[], bool], what: str) -> None:
    """Return when `ready` says so. Raises SystemExit after START_SECONDS."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not answer within {START_SECONDS:.0f} s")
        time.sleep(0.05)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def launched(
    stack: contextlib.ExitStack,
    argv: Sequence[str],
    environment: dict[str, str],
    folder: Path | None,
    log: Path | None = None,
) -> int:
    """Start a process, killed when the stack is closed. Its process id."""
    with contextlib.ExitStack() as files:
        out = files.enter_context(log.open("ab")) if log else subprocess.DEVNULL
        process = subprocess.Popen(
            argv,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def end() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    stack.callback(end)
    return process.pid
