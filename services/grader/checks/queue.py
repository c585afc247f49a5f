"""Has the learner's code send tasks while no worker runs, and looks at which messages wait in which queues.

Messages that wait at the same time are tasks that can be worked on at the same time. The workers of earlier checks are ended first,
and what this check sent is taken away again.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from grader.calling import called
from grader.checks import Strict
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed


class Parameters(Strict):
    """What to call, and what has to wait then."""

    call: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$", description="MODULE:FUNCTION of the learner's.")
    calls: tuple[tuple[Any, ...], ...] = Field(
        default=((),), min_length=1, description="The arguments of each call, one call after the other."
    )
    waiting: Mapping[str, int] = Field(
        min_length=1, description="Last part of a task's name -> how many messages of it have to wait at once."
    )
    spread: Mapping[str, int] = Field(
        default_factory=dict, description="Queue -> how many messages have to wait in it; empty: in whichever."
    )
    apart: bool = Field(default=False, description="Whether each of these tasks has to be in another queue.")
    within: float = Field(default=20, gt=0, le=300, description="Seconds that each call may take.")


def run(parameters: Parameters, session: Session) -> Finding:
    """Passes when exactly these messages wait, each in its queue."""
    for worker in session.workers.values():
        worker.running.end()
    before = {one.id for one in session.valkey.waiting()}
    for arguments in parameters.calls:
        end = called(session, parameters.call, arguments, seconds=parameters.within)
        if not end.ended or end.error:
            return failed("call", f"{parameters.call} {end.why}", arguments=list(arguments))
    waiting = [one for one in session.valkey.waiting() if one.id not in before]
    with session.valkey.client() as client:
        for queue in {one.queue for one in waiting}:
            client.delete(queue)
    names = {one.id: one.task.rpartition(".")[2] for one in waiting}
    counted = Counter(names.values())
    where: dict[str, set[str]] = {}
    for one in waiting:
        where.setdefault(names[one.id], set()).add(one.queue)
    seen = {"waiting": dict(counted), "queues": {name: sorted(queues) for name, queues in where.items()}}
    if not waiting:
        return failed("nothing-sent", f"{parameters.call} returned, and no message waits at the broker", **seen)
    wrong = {task: counted[task] for task, count in parameters.waiting.items() if counted[task] != count}
    if wrong:
        what = ", ".join(f"{found} of {task}" for task, found in wrong.items())
        wanted = ", ".join(f"{parameters.waiting[task]} of {task}" for task in wrong)
        return failed("other-messages", f"{what} wait at the broker at once, where it should be {wanted}", **seen)
    spread = Counter(one.queue for one in waiting)
    if parameters.spread and spread != parameters.spread:
        said, wanted = (
            ", ".join(f"{count} in {queue}" for queue, count in one.items()) for one in (spread, parameters.spread)
        )
        return failed("other-queue", f"messages wait {said}, where it should be {wanted}", **seen)
    used = [queue for task in parameters.waiting for queue in where[task]]
    if parameters.apart and len(set(used)) < len(used):
        return failed("shared-queue", f"two of {', '.join(parameters.waiting)} share a queue", **seen)
    return passed(f"{', '.join(f'{count} of {task}' for task, count in counted.items())} wait at once", **seen)
