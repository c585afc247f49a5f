"""Server processes that a test may start, stop, pause, crash and ask; the fixtures of conftest.py run them."""

import contextlib
import ctypes
import json
import os
import signal
import socket
import socketserver
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conductor.laptop.servers import rabbitmq
from conductor.laptop.servers.valkey_cluster import CONFIGURATION
from conductor.redis_cluster import Node, form, healthy

PASSWORD = "wei/rd@pass"  # needs quoting in a URL, as a generated one may
QUOTED = urllib.parse.quote(PASSWORD, safe="")
START_SECONDS = 90.0  # a cold RabbitMQ on two busy cores


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def end_serving(server: socketserver.BaseServer) -> None:
    """End the loop of a server that runs in a thread: it looks twice a second whether it is to end, or when somebody calls."""
    ending = threading.Thread(target=server.shutdown)
    ending.start()
    while ending.is_alive():
        with contextlib.suppress(OSError):
            socket.create_connection(server.server_address[:2], timeout=1).close()
        ending.join(0.01)
    server.server_close()


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = 30.0, poll_seconds: float = 0.05) -> None:
    """Returns as soon as `condition()` is true; fails naming `what` when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s for {what}")
        time.sleep(poll_seconds)


def die_with_parent() -> None:
    """Asks the kernel to kill this child when its parent ends, however it ends."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


STARTED: "dict[Path, Server]" = {}
"""The servers that this process started, by log."""


@dataclass
class Server:
    """A server process and how to stop and start it again on the same port and data."""

    command: list[str]
    directory: Path
    port: int
    ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)
    run_as: int | None = None
    stop_signal: int = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    def start(self) -> None:
        """Returns when the server answers; fails with the end of its log when it does not."""
        STARTED[self.log] = self
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.directory,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=self.run_as,
                group=self.run_as,
                extra_groups=[] if self.run_as is not None else None,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"{self.command[0]} did not start:\n{self.said()}")
            time.sleep(0.05)

    def said(self) -> str:
        """The end of its log; nothing once it is gone with its directory."""
        if not self.log.exists():
            return ""
        return self.log.read_text(errors="replace")[-3000:]

    def stop(self, seconds: float = 20.0) -> None:
        """Ends the server in order, keeping its data."""
        if self.process is None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self) -> None:
        """Ends the server at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        """Stops the server from running while its sockets stay open; returns when it stands still."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        # A stop begins when the server's first thread gets a core; until then the others would still answer.
        os.waitpid(self.process.pid, os.WUNTRACED)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


def health(port: int, kind: str) -> int:
    """The status with which the process on this port answers the probe `live` or `ready`."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/{kind}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@dataclass
class RabbitMQ(Server):
    """A RabbitMQ node of our own (see conductor.laptop.servers.rabbitmq), with the management API for looking into it, and its metrics."""

    management_port: int = 0
    metrics_port: int = 0

    def url(self, vhost: str) -> str:
        return f"amqp://tester:{QUOTED}@127.0.0.1:{self.port}/{vhost}"

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Calls the management API at `/api/<path>`; the decoded answer, or None when it is empty."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.management_port}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Basic " + b64encode(f"tester:{PASSWORD}".encode()).decode(),
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def queue(self, vhost: str, name: str) -> dict[str, Any]:
        """What the server knows about one queue: arguments, messages_ready, consumers and the like."""
        found: dict[str, Any] = self.api("GET", f"queues/{vhost}/{name}?disable_stats=true&enable_queue_totals=true")
        return found

    def close_connections(self, vhost: str) -> int:
        """Closes every client connection to a virtual host, as an operator or a failing node would; how many there were.

        Waits for the first to be listed: the management API learns of connections a moment after they are made.
        """
        names: list[str] = []

        def listed() -> bool:
            names[:] = [found["name"] for found in self.api("GET", "connections") if found.get("vhost") == vhost]
            return bool(names)

        wait_until(listed, what="a connection to close")
        for name in names:
            with contextlib.suppress(OSError):
                self.api("DELETE", f"connections/{urllib.parse.quote(name, safe='')}")
        return len(names)

    def control(self, *arguments: str) -> None:
        """What an operator tells the node, as `rabbitmqctl <arguments>`."""
        subprocess.run(
            [str(rabbitmq.script("rabbitmqctl")), "--quiet", *arguments],
            cwd=self.directory,
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
        )

    def alarms(self) -> bool:
        """Whether an alarm is on, of memory or of disk."""
        try:
            self.api("GET", "health/checks/alarms")
        except urllib.error.HTTPError as error:
            return error.code == 503
        return False

    def answers(self) -> bool:
        try:
            self.api("GET", "overview")
        except (OSError, ValueError):
            return False
        return listens(self.port)


class RabbitMQContainer(RabbitMQ):
    """A RabbitMQ in a container: `command` is a `docker run` in the foreground, and `name` what the container is called."""

    name: str = ""

    def stop(self, seconds: float = 20.0) -> None:
        """Ends the container; there is no data to keep."""
        self.kill()

    def kill(self) -> None:
        # Killing the client would leave the container running.
        self._docker("rm", "--force", self.name)
        super().kill()

    def pause(self) -> None:
        self._docker("pause", self.name)

    def resume(self) -> None:
        self._docker("unpause", self.name)

    def control(self, *arguments: str) -> None:
        self._docker("exec", self.name, "rabbitmqctl", "--quiet", *arguments)

    @staticmethod
    def _docker(*arguments: str) -> None:
        subprocess.run(["docker", *arguments], check=False, capture_output=True)


@dataclass
class Valkey(Server):
    """A Valkey server of our own (speaks the Redis protocol)."""

    @classmethod
    def in_folder(cls, binary: Path, directory: Path, more: str = "") -> "Valkey":
        """One that keeps what it takes in this folder and evicts nothing; `more` are lines of its configuration."""
        port, configuration = free_port(), directory / "valkey.conf"
        configuration.write_text(
            f'bind 127.0.0.1\nport {port}\nrequirepass "{PASSWORD}"\nappendonly yes\nsave ""\n'
            f'maxmemory-policy noeviction\ndir "{directory}"\n{more}'
        )
        return cls([str(binary), str(configuration)], directory, port, partial(listens, port))

    def url(self, database: int) -> str:
        return f"redis://:{QUOTED}@127.0.0.1:{self.port}/{database}"


class ValkeyCluster:
    """Valkey nodes that are a cluster: `primaries` of them with slots, then `replicas`, which are of the primaries in turn."""

    def __init__(self, binary: Path, directory: Path, primaries: int = 3, *, replicas: int = 0) -> None:
        self.nodes: list[Valkey] = []
        self._primaries = primaries
        self.members: list[Node] = []
        """The same, as who makes them a cluster knows them."""
        for index in range(primaries + replicas):
            folder = directory / f"node-{index}"
            folder.mkdir()
            bus = free_port()
            cluster = CONFIGURATION.format(bus=bus, timeout_ms=1000, password=PASSWORD)
            node = Valkey.in_folder(binary, folder, f"appendfsync always\nrepl-diskless-sync-delay 0\n{cluster}")
            self.nodes.append(node)
            self.members.append(Node(node.url(0), node.port, bus))

    def start(self) -> None:
        self.start_apart()
        form(self.members, self._primaries)

    def start_apart(self) -> None:
        """Nodes that are no cluster yet."""
        for node in self.nodes:
            node.start()

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()

    def empty(self) -> None:
        """Take away all keys, functions and counts of commands."""
        import redis

        for node in self.nodes:
            with redis.Redis.from_url(node.url(0)) as client:
                client.flushall()
                client.function_flush()
                client.config_resetstat()

    def url(self) -> str:
        """The addresses of all nodes: one that is up tells clients which the others are."""
        return ",".join(node.url(0) for node in self.nodes)

    def healthy(self, node: int) -> bool:
        """Whether a node sees every slot served."""
        return healthy(self.members[node])


@dataclass
class Postgres(Server):
    """A PostgreSQL server of our own."""

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://tester:{QUOTED}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Runs one statement outside any transaction."""
        with self.connection(database) as connection:
            connection.execute(statement.encode())

    def connection(self, database: str = "postgres") -> Any:
        """A connection of the driver's, in autocommit."""
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="tester", password=PASSWORD, dbname=database, autocommit=True
        )

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        """For the block every transaction only reads, as a full disk of a managed server or a standby would have it."""

        def switched(value: str) -> None:
            # A connection of before: one that is made now may begin with the old value.
            with self.connection() as connection:
                connection.execute("SET default_transaction_read_only TO off")
                connection.execute(f"ALTER SYSTEM SET default_transaction_read_only TO {value}".encode())
                connection.execute("RESET default_transaction_read_only")
                connection.execute("SELECT pg_reload_conf()")
                shown = "SHOW default_transaction_read_only"
                wait_until(lambda: connection.execute(shown).fetchone() == (value,), what=f"read-only {value}")

        switched("on")
        try:
            yield
        finally:
            switched("off")

    def answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except OSError:
            return False
        except Exception as error:  # noqa: BLE001 psycopg is imported late
            return "OperationalError" not in type(error).__name__
        return True


@dataclass
class PgBouncer(Server):
    """A PgBouncer of our own in transaction mode, in front of a PostgreSQL."""

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://tester:{QUOTED}@127.0.0.1:{self.port}/{database}"
