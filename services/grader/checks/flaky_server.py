"""Calls a task with the address of an HTTP server that answers as the check says, and looks at how often and how fast it was asked.

The server is at `http://localhost:8080` for learner code.
"""

from itertools import pairwise
from typing import Any

from pydantic import Field

from grader.adapters.http_server import Answer
from grader.checks import Strict
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed


class Reply(Strict):
    """One answer of the server; the last of a script is repeated."""

    status: int = Field(default=200, ge=100, le=599)
    body: Any = None
    after_seconds: float = Field(default=0, ge=0, le=60)


class Parameters(Strict):
    """The script and what has to come of it."""

    worker: str = "worker"
    task: str = Field(description="Called with the address as its only argument.")
    replies: tuple[Reply, ...] = Field(min_length=1)
    value: Any = Field(default=None, description="What the task has to return, where `fails` is not set.")
    fails: bool = False
    requests: int = Field(ge=1, description="How often the server has to be asked, no more and no less.")
    or_fewer: bool = Field(
        default=False,
        description="Less often will do as well: what is looked at is the end. The task has to fail, and not to be tried again.",
    )
    growing: float | None = Field(
        default=None, gt=1, description="Each gap between requests is at least so many times the one before."
    )
    within: float = Field(default=30, gt=0, le=300, description="Seconds until the task has ended.")


def run(parameters: Parameters, session: Session) -> Finding:
    """Passes when the task ends as it should, after the right number of requests with gaps that grow where they have to."""
    worker = session.workers[parameters.worker]
    name = worker.task(parameters.task)
    if name is None:
        return failed("not-registered", f"the worker has no task {parameters.task}", tasks=list(worker.tasks))
    path = f"/{session.random.randrange(16**8):08x}"
    session.http.script(path, [Answer(one.status, one.body, one.after_seconds) for one in parameters.replies])
    task_id = session.send(name, [session.http.url(path)])
    end = session.results.final(task_id, session.left(parameters.within))
    asked = [request.at for request in session.http.requests(path)]
    gaps = [round(later - earlier, 2) for earlier, later in pairwise(asked)]
    retries = sum(event.what["type"] == "task-retried" for event in session.events.of(task_id))
    state = None if end is None else end.what["status"]
    seen = {"requests": len(asked), "retries": retries, "gaps_seconds": gaps, "state": state}
    if not asked and not parameters.or_fewer:
        why = "" if end is None else f": {end.what.get('result')}"
        return failed("not-asked", f"the server was never asked{why}", **seen)
    if end is None:
        return failed("no-end", f"asked {len(asked)} times, and no end within {parameters.within:g} s", **seen)
    if parameters.fails == (end.what["status"] == "SUCCESS"):
        wanted = "fail" if parameters.fails else "succeed"
        return failed("wrong-end", f"the task has to {wanted}, and its state is {end.what['status']}", **seen)
    if not parameters.fails and end.what["result"] != parameters.value:
        return failed("wrong-value", f"the task returned {end.what['result']!r}, not {parameters.value!r}", **seen)
    if parameters.or_fewer and len(asked) < parameters.requests:
        if retries:
            return failed("asked-again", f"it was tried again {retries} times", **seen)
        return passed(
            f"it failed after {len(asked)} requests, and was not tried again: {str(end.what['result'])[:100]}", **seen
        )
    if len(asked) != parameters.requests:
        reason = "asked-again" if len(asked) > parameters.requests else "not-again"
        return failed(reason, f"the server was asked {len(asked)} times, not {parameters.requests}", **seen)
    if parameters.growing and any(later < parameters.growing * earlier for earlier, later in pairwise(gaps)):
        return failed("gaps", f"the gaps between requests do not grow: {gaps} s", **seen)
    return passed(f"{len(asked)} requests, gaps {gaps} s", **seen)
