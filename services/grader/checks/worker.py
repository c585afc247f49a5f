"""Starts the learner's worker and waits until it answers over the broker and has the tasks that the lab asks for.

The worker goes on for the checks that need this one; they know it by this check's `as`.
"""

import sys
import time
from typing import Any, Literal

from pydantic import Field

from grader.adapters.box import Limits
from grader.checks import Strict
from grader.domain.verdict import Finding
from grader.session import Session, Worker, failed, passed, said

QUESTION_SECONDS = 0.5
"""How long one question to the worker is open; it is asked again until the check's time is over."""

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
    limits = Limits(wall_seconds=parameters.lives, cpu_seconds=int(parameters.lives))
    running = session.start([*argv, *parameters.arguments], limits=limits)
    places = _places(session, node)
    there, inspect = places.pop(parameters.broker)
    registered = None
    while registered is None:
        if running.poll() is not None:
            return failed(
                "ended", f"the worker ended with status {running.poll()} before it was ready", status=running.poll()
            )
        if CANNOT_CONNECT in said(running):
            return failed("no-broker", f"the worker looks for its broker somewhere else than at {there}")
        if not session.left():
            return failed("not-ready", f"no worker answered at {there} in time")
        registered = inspect.registered()
        other = None if registered else next((url for url, ask in places.values() if ask.ping()), None)
        if other is not None:
            return failed("no-broker", f"the worker answers at {other}, and not at {there}")
    queues = [queue["name"] for queue in (inspect.active_queues() or {}).get(node, [])]
    settings: dict[str, Any] = (inspect.conf() or {}).get(node, {})
    # A rate limit or other options follow the name in brackets.
    tasks = tuple(str(task).split(" ")[0] for task in registered[node])
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


def _places(session: Session, node: str) -> dict[str, tuple[str, Any]]:
    """By the name of each broker of the lab: its address as learner code has it, and what asks the node there."""
    apps = {"valkey": (session.inside_url, session.app)}
    if session.has("rabbitmq"):
        apps["rabbitmq"] = ("amqp://localhost:5672//", session.rabbitmq_app)
    return {name: (url, app.control.inspect([node], timeout=QUESTION_SECONDS)) for name, (url, app) in apps.items()}
