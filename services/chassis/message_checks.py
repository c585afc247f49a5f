"""The gate: what a worker must know of a message before it runs it. Pure: reads the message and the registered tasks, changes nothing.

Celery throws away what it cannot read, ends over a header of another type, and a wrong body only fails inside a child process, where
nothing keeps it. So every field of every message is read here first (see chassis.envelope and chassis.sizes for headers and sizes); what
cannot be run is parked with a reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chassis.envelope import fault_of_headers, fault_of_properties, told
from chassis.sizes import MAX_BODY_BYTES, too_much

MAX_IDS = 10_000
"""The most outbox commands that one message may name; the relay sends some tens."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a message cannot be run: `unknown_task` or `malformed`, and the particulars.

    `message_only` says that the commands which the message names are not to blame: they stay open, and the relay sends them again.
    """

    reason: str
    detail: str
    message_only: bool = field(default=False, compare=False)


def fault(message: Any, tasks: Mapping[str, Any]) -> Fault | None:
    """None when the message can be run by one of `tasks` as it is."""
    headers = message.headers
    wrong = fault_of_headers(headers) or fault_of_properties(message) or _fault_of_size(message)
    if wrong is not None:
        return Fault("malformed", wrong, message_only=True)
    try:
        payload = message.payload
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises, the message stays unreadable
        return Fault("malformed", f"body cannot be read: {_line(error)}")
    # The depth alone is in question: the size of the body was judged before.
    if excess := too_much(payload, 2 * MAX_BODY_BYTES):
        return Fault("malformed", f"body is {excess}", message_only=True)
    match payload:
        case [list() | tuple() as args, dict() as kwargs, dict() as options]:
            if given := [name for name, value in options.items() if not _empty(name, value)]:
                detail = f"options {told(given)} are not taken: what follows a task is put into the outbox"
                return Fault("malformed", detail, message_only=True)
            return _unrunnable(tasks.get(headers["task"]), headers["task"], args, kwargs)
    return Fault("malformed", f"body is {type(payload).__name__}, not [args, kwargs, options]")


def _fault_of_size(message: Any) -> str | None:
    size = len(getattr(message, "body", None) or b"")
    return f"body has {size} bytes, at most {MAX_BODY_BYTES} are run" if size > MAX_BODY_BYTES else None


def _empty(option: str, value: Any) -> bool:
    return option in ("callbacks", "errbacks", "chain", "chord") and (value is None or value in ([], {}))


def _line(error: Exception) -> str:
    return (str(error).encode("ascii", "backslashreplace").decode().splitlines() or [type(error).__name__])[0][:300]


def _unrunnable(task: Any, name: str, args: Any, kwargs: dict[str, Any]) -> Fault | None:
    if task is None:
        return Fault("unknown_task", f"no task named {told(name)} here")
    readable = getattr(task, "versions", (1,))
    version = kwargs.get("v", readable[0])
    if type(version) is not int or version not in readable:
        return Fault(
            "malformed", f"version {told(version)} of {name}, only {', '.join(map(str, readable))} can be read here"
        )
    try:
        task.__header__(*args, **kwargs)
    except TypeError as error:
        return Fault("malformed", f"wrong arguments for {name}: {_line(error)}")
    if "ids" in kwargs and not are_ids(kwargs["ids"]):
        # In the task it would be an error of the database, and the message gone: a failed batch is left to its open commands.
        return Fault("malformed", f"ids of {name} are {told(kwargs['ids'])}, not a list of numbers")
    if "ids" in kwargs and len(kwargs["ids"]) > MAX_IDS:
        detail = f"{len(kwargs['ids'])} ids of {name}, at most {MAX_IDS} are run together"
        return Fault("malformed", detail, message_only=True)
    return None


def are_ids(value: Any) -> bool:
    """Whether this is a list of what can be ids of outbox commands."""
    return isinstance(value, list) and all(type(i) is int and abs(i) < 2**63 for i in value)


def contents(message: Any) -> Any:
    """The body as far as it can be read: its keyword arguments, or None."""
    if fault_of_properties(message) or _fault_of_size(message):
        return None
    try:
        kwargs = message.payload[1]
    except Exception:  # noqa: BLE001 - unreadable in any way
        return None
    return kwargs if isinstance(kwargs, dict) else None


def is_by_name(message: Any) -> bool:
    """Whether the keyword arguments are all that the body of a message holds."""
    try:
        args, _, options = message.payload
        return not args and all(_empty(name, value) for name, value in options.items())
    except Exception:  # noqa: BLE001 - unreadable in any way
        return False
