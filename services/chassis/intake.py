"""What a worker must know of a message before it runs it. Pure: reads the message and the registered tasks, changes nothing.

Celery throws away what it cannot read, and a wrong body only fails inside a child process, where nothing keeps it. So every message
is read here first; what cannot be run is parked with a reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a message cannot be run: `unknown_task` or `malformed`, and the particulars."""

    reason: str
    detail: str


def fault(message: Any, tasks: Mapping[str, Any]) -> Fault | None:
    """None when the message can be run by one of `tasks` as it is."""
    headers = message.headers
    if not isinstance(headers, dict) or not isinstance(headers.get("task"), str) or not headers.get("id"):
        return Fault("malformed", "no task name or no id in the headers")
    try:
        payload = message.payload
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises, the message stays unreadable
        return Fault("malformed", f"body cannot be read: {error}")
    match payload:
        case [list() | tuple() as args, dict() as kwargs, dict()]:
            return _unrunnable(tasks.get(headers["task"]), headers["task"], args, kwargs)
    return Fault("malformed", f"body is {type(payload).__name__}, not [args, kwargs, options]")


def _unrunnable(task: Any, name: str, args: Any, kwargs: dict[str, Any]) -> Fault | None:
    if task is None:
        return Fault("unknown_task", f"no task named {name!r} here")
    readable = getattr(task, "versions", (1,))
    version = kwargs.get("v", readable[0])
    if version not in readable:
        return Fault(
            "malformed", f"version {version!r} of {name}, only {', '.join(map(str, readable))} can be read here"
        )
    try:
        task.__header__(*args, **kwargs)
    except TypeError as error:
        return Fault("malformed", f"wrong arguments for {name}: {error}")
    if "ids" in kwargs and not are_ids(kwargs["ids"]):
        # In the task it would be an error of the database, and the message gone: a failed batch is left to its open commands.
        return Fault("malformed", f"ids of {name} are {str(kwargs['ids'])[:100]}, not a list of numbers")
    return None


def are_ids(value: Any) -> bool:
    """Whether this is a list of what can be ids of outbox commands."""
    return isinstance(value, list) and all(type(i) is int and abs(i) < 2**63 for i in value)


def contents(message: Any) -> Any:
    """The body as far as it can be read: its keyword arguments, or None."""
    try:
        kwargs = message.payload[1]
    except Exception:  # noqa: BLE001 - unreadable in any way
        return None
    return kwargs if isinstance(kwargs, dict) else None
