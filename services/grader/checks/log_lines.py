"""Calls tasks that log a marker, and reads what the worker printed: each line about such a task has to be one JSON object.

The task's own line, which `message` describes, has to say as well which task logged it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from grader.checks import Strict
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

MARKER = "{marker}"


class Call(Strict):
    """One call; `{marker}` among its arguments is replaced by a word that nobody else uses."""

    task: str
    args: tuple[Any, ...] = (MARKER,)


class Parameters(Strict):
    """Which tasks, and what their lines have to hold."""

    worker: str = "worker"
    calls: tuple[Call, ...] = Field(min_length=1)
    times: int = Field(default=3, ge=1, le=50, description="How often each is called.")
    message: str = Field(description="What the task itself logs; `{marker}` stands for its marker.")
    fields: Mapping[str, Literal["id", "name"]] = Field(
        description="Key of the JSON object -> what it has to hold: the task's id or its full name."
    )
    within: float = Field(default=15, gt=0, le=300, description="Seconds until a call has ended.")


def run(parameters: Parameters, session: Session) -> Finding:
    """Passes when every line is an object and every task's own line names the task."""
    worker = session.workers[parameters.worker]
    sent: list[tuple[str, str, str]] = []
    for call in parameters.calls * parameters.times:
        name = worker.task(call.task)
        if name is None:
            return failed("not-registered", f"the worker has no task {call.task}", tasks=list(worker.tasks))
        marker = f"mark-{session.random.randrange(16**8):08x}"
        args = [marker if argument == MARKER else argument for argument in call.args]
        sent.append((session.send(name, args), name, marker))
    for task_id, name, _ in sent:
        if session.events.final(task_id, session.left(parameters.within)) is None:
            return failed("no-end", f"{name} did not end within {parameters.within:g} s")
    lines = _lines(worker.running.output)
    for task_id, name, marker in sent:
        finding = told(parameters, lines, {"id": task_id, "name": name}, marker)
        if not finding.passed:
            return finding
    return passed(f"the lines of {len(sent)} tasks are JSON objects that name their task", tasks=len(sent))


def told(parameters: Parameters, lines: list[str], task: Mapping[str, str], marker: str) -> Finding:
    """Passes when the lines about one task are as they have to be; `task` has its `id` and `name`."""
    message = parameters.message.replace(MARKER, marker)
    own = 0
    for line in lines:
        if marker not in line and task["id"] not in line:
            continue
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            return failed("not-json", f"a line about {task['name']} is no JSON object: {line[:150]}", line=line[:500])
        if message not in line:
            continue
        own += 1
        lacking = [key for key, what in parameters.fields.items() if said.get(key) != task[what]]
        if lacking:
            return failed(
                "no-fields", f"a line that {task['name']} logged does not say {', '.join(lacking)}", line=line[:500]
            )
    if not own:
        return failed("no-line", f"{task['name']} logged {message!r}, and the worker printed no such line")
    return passed("told")


def _lines(output: Path) -> list[str]:
    return output.read_text(errors="replace").splitlines()
