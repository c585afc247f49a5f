"""What a shared drill plays on, on a laptop as in a cluster: a running capstone under load, and the faults that can be injected."""

import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from conductor.capabilities import Moment, Plan, Target
from conductor.capstone import Capstone, Size
from conductor.harness.reporter import Reporter
from conductor.history import Kill
from conductor.runtime import Reach, Runtime, ServerName, SmallVolume, Which
from conductor.verdict import Verdict


class Session(Protocol):
    """Implemented by LaptopSession and ClusterSession. Whatever waits gives up at the drill's deadline, with DrillFailed."""

    capstone: Capstone
    size: Size
    reporter: Reporter

    @property
    def runtime(self) -> Runtime:
        """What runs the capstone."""

    def load(self) -> AbstractContextManager[object]:
        """Requests keep coming while the block runs, and until enough were accepted."""

    def await_loaded(self) -> int:
        """Wait until as many requests are in flight as every fault wants. Returns their number."""

    def await_progress(self, requests: int | None = None) -> None:
        """Return when so many requests (a quarter of what a fault wants) that were accepted from now on are completed."""

    def in_flight(self) -> int | None:
        """How many requests were accepted and are not completed; None while nobody can tell."""

    def steered(self, way: str) -> AbstractContextManager[object]:
        """The load does otherwise during the block; see capabilities.SteersLoad."""

    def counted(self) -> Mapping[str, int]:
        """What the load was told so far, by name, 0 for what it was never told; see capabilities.SteersLoad."""

    def now(self) -> float:
        """The time by which the history is written."""

    def history(self) -> AbstractContextManager[Path]:
        """The file of the history as it is now, during the block."""

    @property
    def reach(self) -> Reach:
        """Where the platform answers, seen from here. An address is good until what answers there is replaced."""

    def submit(self, name: str) -> str:
        """Send one request more, however many are in flight, and return its id; see Workload.submit."""

    def targets(self) -> Sequence[Target]:
        """The targets of the capstone whose running tasks a kill can hit here."""

    def replicated(self, *pools: str) -> AbstractContextManager[None]:
        """In the block each of these pools has the processes that it needs to survive a kill."""

    def holding(self, target: Target, moment: Moment, *, seed: int) -> AbstractContextManager[None]:
        """Some calls of the target are kept waiting at this moment during the block."""

    def aimed_kill(self, target: Target, which: Which, moment: Moment) -> Kill:
        """Kill a process that runs a task: everything of it (`tree`) or one `child`, at that moment if one comes soon; written down.

        DrillFailed when no task of the target runs although requests are in flight.
        """

    def kill_running(self, pool: str, command: str, start: int) -> Kill:
        """Kill the child that runs this command for the `start`-th time, or a later one, and none beside it; written down.

        DrillFailed when it does not run although it is open.
        """

    def faults(self, server: str, plan: Plan) -> AbstractContextManager[None]:
        """A plan of faults of an outside program in force during the block."""

    def publish(self, queue: str, messages: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Publish messages straight into a queue, each a body and its headers."""

    def startable(self, request: str) -> bool:
        """Whether the command of a request that can be made poisonous has not begun; see RejectsMessages."""

    def attention(self, request: str) -> str | None:
        """What such a request tells a person."""

    def kill_process(self, pool: str) -> None:
        """Kill a process of the pool, whatever it does; written down."""

    def kill_parent(self, pool: str) -> None:
        """Kill the first process of the pool, and it alone; written down. Returns when all that it had started has ended by itself.

        DrillFailed when some of it goes on.
        """

    def changed(self, pool: str, settings: Mapping[str, str]) -> AbstractContextManager[None]:
        """The pool's processes have these environment variables during the block; they are replaced before it and after it."""

    def small_volume(self, pool: str, free_mebibytes: int) -> AbstractContextManager[SmallVolume]:
        """The first process of a StatefulSet keeps its folder on a file system with so much room during the block. It is replaced before
        the block and after it."""

    def children(self, pool: str) -> Mapping[int, str]:
        """The names of the processes below the first one of the pool, by their ids where they run."""

    def signal_child(self, pool: str, name: str, number: signal.Signals) -> int:
        """Signal one of these by its name; written down, unless it goes on by it. Its id. DrillFailed or ClusterFailed without one."""

    def away_after(self, fault: Callable[[], None]) -> float:
        """Break something with requests coming as fast as they are answered. Returns for how many seconds none was answered, afterwards.

        Refused for a capstone that owns no shard (capabilities.OwnsShard).
        """

    def restart_server(self, name: ServerName, *, hard: bool) -> None:
        """Stop a server in order, or kill it when `hard`; return when it answers again. Written down."""

    @property
    def deploys(self) -> int:
        """How many deploys a drill of this size plays."""

    def deploy(self, number: int) -> None:
        """Replace the processes of every pool under load, each when its successor is ready; `number` counts from 1.

        DrillFailed when one did not end within its grace, or the pools came in the wrong order.
        """

    def versions(self) -> "AbstractContextManager[Versions]":
        """Other versions of the capstone to run beside this one; after the block every process runs this one again."""

    def accepted(self, last: int) -> list[str]:
        """The ids of the requests that were accepted last."""

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement in the capstone's database as its owner. Returns its rows."""

    def parked(self) -> list[dict[str, Any]]:
        """Every parked message that waits for a decision, oldest first."""

    def replay_parked(self, *ids: int) -> list[dict[str, Any]]:
        """Process these again. Returns the records that it was done for."""

    def drop_parked(self, *ids: int) -> list[dict[str, Any]]:
        """Decide that these are never processed. Returns the records that it was done for."""

    def expect(self, holds: bool, what: str) -> None:
        """DrillFailed when what must be is not."""

    def expect_no_failed_request(self) -> None:
        """DrillFailed when a deploy made a client send a request again, where the load leaves room for that to be said.

        A shard is away while its process is replaced: then this tells for how long.
        """

    def wait_for(self, holds: Callable[[], bool], what: str | Callable[[], str], within_seconds: float = 180) -> None:
        """Return when it holds; DrillFailed names what was waited for."""

    def verdict(self) -> Verdict:
        """The verdict on the requests of this session, when each is completed."""


class Versions(Protocol):
    """Versions of the capstone's code: this one, the one before it, and a newer one with one task more."""

    def previous_beside(self) -> None:
        """Run the previous version beside this one, pool by pool, and go back, under load."""

    def newer_beside(self) -> None:
        """Run the newer version beside this one, as far as a pool has several processes here. Refused when there is none."""

    def newer_alone(self) -> None:
        """Have the newer version run every command of its task."""
