"""Calls a task with the address of an HTTP server that answers as the check says, and looks at how often and how fast it was asked.

The server is at `http://localhost:8080` for learner code. How long a task waits before it asks again is what it told Celery; the gap
between two requests has in it what a busy machine adds.
"""

import re
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import Field

from grader import measuring
from grader.adapters.http_server import Answer
from grader.checks import Strict
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

RETRY_IN = re.compile(r"\bRetry in ([0-9.e+-]+)s")
"""What Celery says of a retry, in the traceback of the state RETRY."""


class Reply(Strict):
    """One answer of the server; the last of a script is repeated."""

    status: int = Field(default=200, ge=100, le=599)
    body: Any = None
    after_seconds: float = Field(default=0, ge=0, le=60)


SHORTEST_SECONDS = 0.01
"""A wait that is shorter is none, and none is not more than none."""


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
        default=None, gt=1, description="Each wait before a request is at least so many times the one before."
    )
    within: float = Field(default=30, gt=0, le=300, description="Seconds until the task has ended.")


def run(parameters: Parameters, session: Session) -> Finding:
    """Passes when the task ends as it should, after the right number of requests, with waits between them that grow where they have to."""
    worker = session.workers[parameters.worker]
    name = worker.task(parameters.task)
    if name is None:
        return failed("not-registered", f"the worker has no task {parameters.task}", tasks=list(worker.tasks))
    path = f"/{session.random.randrange(16**8):08x}"
    session.http.script(path, [Answer(one.status, one.body, one.after_seconds) for one in parameters.replies])
    began = time.monotonic()
    task_id = session.send(name, [session.http.url(path)])
    end = session.results.final(task_id, session.left(parameters.within))
    asked = [request.at for request in session.http.requests(path)]
    gaps = [round(later - earlier, 2) for earlier, later in pairwise(asked)]
    # States come in their order, so that all retries are known by the end; an event may come later.
    retried = [seen.what for seen in session.results.of(task_id) if seen.what["status"] == "RETRY"]
    retries = len(retried)
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
    if parameters.growing:
        waits = asked_for(retried, gaps)
        if waits is None:
            # It waited by itself, so that there is nothing but the clock.
            measuring.tell(began)
        seen["waits_seconds"] = waits = waits or gaps
        if any(later < max(parameters.growing * earlier, SHORTEST_SECONDS) for earlier, later in pairwise(waits)):
            return failed("gaps", f"the waits between requests do not grow: {waits} s", **seen)
        return passed(f"{len(asked)} requests, waits {waits} s", **seen)
    return passed(f"{len(asked)} requests, gaps {gaps} s", **seen)


def asked_for(retried: Sequence[Mapping[str, Any]], gaps: Sequence[float]) -> list[float] | None:
    """The wait that each retry asked Celery for; None where some request was no such retry. `gaps` are those between the requests.

    A request that came sooner than was said came after the gap that was seen.
    """
    said = [RETRY_IN.findall(str(state["traceback"])) for state in retried]
    if len(said) != len(gaps) or not all(said):
        return None
    return [min(float(found[-1]), gap) for found, gap in zip(said, gaps, strict=True)]
