"""Starts the learner's worker and waits until it answers over the broker and has the tasks that the lab asks for.

The worker goes on for the checks that need this one; they know it by this check's `as`.
"""

import sys
import time
from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from grader.adapters.box import Limits
from grader.checks import Strict
from grader.clock import MOST_STANDING_SECONDS
from grader.domain.verdict import Finding
from grader.session import Session, Worker, failed, passed, said

QUESTION_SECONDS = 0.5
"""How long one question to the worker is open; it is asked again until the check's time is over."""

ANSWERS_SECONDS = 10

CANNOT_CONNECT = "Cannot connect to "
"""What Celery logs when its broker refuses; the one of this grading is up, so that waiting on would change nothing."""


class Parameters(Strict):
    """What to start."""

    app: str = Field(description="The application as `celery -A` takes it.")
    name: str = Field(default="worker", description="The name by which later checks know this worker.")
    tasks: tuple[str, ...] = Field(default=(), description="Last parts of the names of tasks that it must have.")
    concurrency: int = Field(
        default=2, ge=0, description="Processes or threads; 0 leaves it to the learner's settings."
    )
    pool: str = Field(default="", description="The pool; empty leaves it to the learner's settings.")
    queues: tuple[str, ...] = Field(
        default=(), description="Queues to consume; none leaves it to the learner's settings."
    )
    broker: Literal["valkey", "rabbitmq"] = Field(default="valkey", description="Where it has to answer.")
    alone: bool = Field(default=False, description="End the workers that earlier checks started.")
    lives: float = Field(
        default=120, gt=0, le=600, description="Seconds after which it is ended, on the clock and of the CPU."
    )
    arguments: tuple[str, ...] = Field(default=(), description="Further arguments of `celery worker`.")


def run(parameters: Parameters, session: Session) -> Finding:
    """Passes when the worker answers and has every task."""
    if parameters.alone:
        for worker in session.workers.values():
            worker.running.end()
    session.watch()
    started = time.monotonic()
    node = f"{parameters.name}@lab"
    argv = [sys.executable, "-m", "celery", "-A", parameters.app, "worker", "-E", "-n", node, "--loglevel", "INFO"]
    argv += ["--without-mingle", "--without-gossip"]
    argv += ["--concurrency", str(parameters.concurrency)] if parameters.concurrency else []
    argv += ["--pool", parameters.pool] if parameters.pool else []
    argv += ["--queues", ",".join(parameters.queues)] if parameters.queues else []
    # The clock of a check stands still while something starts: what a slow machine adds is no time of the learner's.
    wall = parameters.lives + MOST_STANDING_SECONDS
    limits = Limits(wall_seconds=wall, cpu_seconds=int(parameters.lives))
    running = session.start([*argv, *parameters.arguments], limits=limits)
    places = _places(session, node)
    there, inspect = places.pop(parameters.broker)
    known: dict[str, Any] = {}
    against: list[Finding] = []

    def settled() -> bool:
        """Whether the worker has answered, or cannot any more."""
        status = running.poll()
        if status is not None:
            against.append(failed("ended", f"the worker ended with status {status} before it was ready", status=status))
        elif CANNOT_CONNECT in said(running):
            against.append(failed("no-broker", f"the worker looks for its broker somewhere else than at {there}"))
        elif registered := inspect.registered():
            known.update(registered)
        elif other := next((url for url, ask in places.values() if ask.ping()), None):
            against.append(failed("no-broker", f"the worker answers at {other}, and not at {there}"))
        return bool(known or against)

    if not session.in_time(settled, session.left()):
        return failed("not-ready", f"no worker answered at {there} in time")
    if against:
        return against[0]
    queues = [queue["name"] for queue in _said_of_itself(session, node, inspect.active_queues) or []]
    settings: dict[str, Any] = _said_of_itself(session, node, inspect.conf) or {}
    # A rate limit or other options follow the name in brackets.
    tasks = tuple(str(task).split(" ")[0] for task in known[node])
    worker = Worker(node, running, tasks, tuple(queues), settings)
    session.workers[parameters.name] = worker
    seconds = round(time.monotonic() - started, 1)
    lacking = [task for task in parameters.tasks if worker.task(task) is None]
    if lacking:
        return failed(
            "not-registered",
            f"the worker runs and does not know the task {', '.join(lacking)}",
            tasks=list(tasks),
            lacking=lacking,
        )
    return passed(f"ready after {seconds} s", tasks=list(tasks), queues=queues, ready_seconds=seconds)


def _said_of_itself(session: Session, node: str, ask: Callable[[], Any]) -> Any:
    """What a worker answers, asked again where a question found it busy; None when it answers nothing."""
    answers: dict[str, Any] = {}

    def answered() -> bool:
        answers.update(ask() or {})
        return node in answers

    session.in_time(answered, session.left(ANSWERS_SECONDS))
    return answers.get(node)


def _places(session: Session, node: str) -> dict[str, tuple[str, Any]]:
    """By the name of each broker of the lab: its address as learner code has it, and what asks the node there."""
    apps = {"valkey": (f"redis://localhost:{session.valkey.inside_port}/0", session.app)}
    if session.has("rabbitmq"):
        apps["rabbitmq"] = ("amqp://localhost:5672//", session.rabbitmq_app)
    return {name: (url, app.control.inspect([node], timeout=QUESTION_SECONDS)) for name, (url, app) in apps.items()}
