"""What drills need of a running platform, whatever runs it: this laptop or a cluster."""

import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from conductor.pools import Broker, Pool

Which = Literal["tree", "parent", "child"]
"""Whom a kill hits: everything of one process as when a container dies, its first process only, or one child of it."""

ServerName = str
"""postgres, valkey, rabbitmq, or a store of the capstone's own."""


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """One process of a pool with its children (a prefork worker's); `name` is unique among all generations."""

    name: str
    pool: str
    pid: int
    children: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """How an old process left: `seconds` from SIGTERM to its end; `killed` when the grace ran out."""

    name: str
    seconds: float
    killed: bool


@dataclass(frozen=True, slots=True)
class Rolled:
    """What one roll did, old and new at the same time in between."""

    pool: str
    started: tuple[str, ...]
    stopped: tuple[Stopped, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What a roll changes for the new generation: environment variables, and the checkout whose services/ it runs."""

    settings: Mapping[str, str] = field(default_factory=dict)
    code: Path | None = None


UNCHANGED = Change()


class SmallVolume(Protocol):
    """A file system that only the folder of one process lies on. No method is for two threads."""

    def fill(self) -> int:
        """Take all room that is left. Returns how many bytes that were."""

    def free(self) -> None:
        """Give the room back."""


class Volume(SmallVolume, Protocol):
    """One that can lose its power."""

    @property
    def folder(self) -> Path:
        """The folder."""

    def lose_power(self, look: Callable[[], None]) -> None:
        """The pool's processes end by SIGKILL, and all is gone that no sync brought to the device; returns when the pool is ready again.

        `look` is called when they have ended, and the folder is still as they left it.
        """


class Reach(Protocol):
    """Where a running platform answers, seen from here, and with which credentials."""

    def addresses(self) -> Mapping[str, str]:
        """URLs by name: api, database, broker, store (the last three with their passwords), each outside program, each port of the pools.

        `POOL.data` is the folder of the first process of a StatefulSet, as a URL; in a cluster a copy, made anew whenever it is read.
        """

    def tokens(self) -> Mapping[str, str]:
        """Bearer tokens: `operator`, `customer` and `approver` open the API, `outside` the outside world's ledgers, mails and faults.

        The last one is for who judges: no process of a service is given it.
        """


class Runtime(Protocol):
    """What runs a capstone, on a laptop as in a cluster."""

    @property
    def broker(self) -> "Broker":
        """Which broker carries the messages."""

    def pools(self) -> Mapping[str, "Pool"]:
        """The pools by name."""

    def restart_server(self, name: ServerName, *, hard: bool) -> None:
        """Stop a server in order, or by SIGKILL when `hard`, and return when it answers again."""

    def wait_ready(self) -> None:
        """Return when everything is ready; an error names what is not, and why."""


class ProcessRuntime(Reach, Runtime, Protocol):
    """A laptop's: pools are processes here. Every method may be called from a second process at the same time but `roll`, which waits."""

    def trees(self, pool: str) -> Sequence[ProcessTree]:
        """The living processes of a pool; Refused when there is no such pool."""

    def roll(self, pool: str, change: Change = UNCHANGED, *, between: Callable[[], None] | None = None) -> Rolled:
        """Start new processes, wait until they are ready, end the old ones. Unready leaves the old ones as they were.

        A StatefulSet ends the old ones first; `between` is called when they have ended and no new one was started. Refused for others.
        """

    def kill(self, pool: str, which: Which = "tree", signal: int = signal.SIGKILL, index: int = 0) -> Sequence[int]:
        """Signal one process of the pool; `index` picks it (and the child), modulo how many there are. Its pids.

        Returns when what got a SIGKILL is dead, so that no look that follows finds it at work, and nobody kills it twice.
        """

    def ports(self, pids: Collection[int]) -> frozenset[int]:
        """The TCP ports on our side of these processes' connections: by them a server tells its clients apart."""

    def stopped_server(self, name: ServerName) -> AbstractContextManager[None]:
        """A server stands still and answers nobody during the block, as one whose disk hangs; its connections stay."""

    def unread_of(self, name: ServerName, pids: Collection[int]) -> int:
        """Bytes that these processes sent to a server and that it has not read."""

    def wipe_broker(self) -> None:
        """Lose every queue and message, and what is shared in Valkey; return when the topology is declared again."""

    def memory_alarm(self) -> AbstractContextManager[None]:
        """The broker lives and takes no message during the block, as one that has no memory left."""

    def read_only_database(self) -> AbstractContextManager[None]:
        """The database answers and refuses every write during the block, also on connections that are open."""

    def own_volume(self, pool: str, free_mebibytes: int, change: Change = UNCHANGED) -> AbstractContextManager[Volume]:
        """The first process of a StatefulSet keeps its folder on a file system of its own, with so much room, during the block.

        The pool is rolled, with the change, before the block and after it. Refused where the right to mount is missing.
        """

    def log(self, process: str) -> str:
        """What a process of a pool has written so far."""

    def service_environment(self) -> Mapping[str, str]:
        """The environment in which a service's own command line tools work."""
