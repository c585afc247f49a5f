"""Everything about a message but its body, judged before Celery reads it. Pure.

Celery 5.7 takes headers as they are: a time limit that is a text ends its worker, an id that is an object cannot be looked up, and
any other header becomes an attribute of the request. So each header that Celery knows has a type here, a message with another is
refused, and Celery is handed what was judged and nothing else.
Sources: celery.worker.request, celery.worker.strategy, celery.app.trace, celery.app.task.Context.
"""

import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from celery.app.task import Context

from chassis.sizes import MAX_HEADERS_WEIGHT, too_much

UNREADABLE = "chassis-unreadable"
"""The only header of a message of RabbitMQ whose properties could not be read: their bytes."""

MAX_NAME = 255
"""Characters of an id or a name: what AMQP takes for a property."""

ENCODINGS = ("utf-8", "utf8", "us-ascii", "ascii", "binary")
"""Of a body. Some others take hours for a body of a megabyte (punycode)."""

_TRACE = ("traceparent", "tracestate", "baggage")
_MOST = 2**31 - 1


def _name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()


def _optional_name(value: Any) -> bool:
    return value is None or value == "" or _name(value)


def _text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _count(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value <= _MOST)


def _flag(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _nothing(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _limits(value: Any) -> bool:
    """Hard and soft, as Celery sends them."""
    return value is None or (isinstance(value, list | tuple) and len(value) == 2 and all(map(_limit, value)))


def _limit(seconds: Any) -> bool:
    return seconds is None or (type(seconds) in (int, float) and 0 < seconds <= _MOST)


_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


def _moment(value: Any) -> datetime | None:
    """UTC; None for what is no time. Without an offset UTC is meant, as with Celery."""
    if not isinstance(value, str) or not _ISO.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _expiry(value: Any) -> bool:
    return value is None or _moment(value) is not None


_HEADERS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "task": (_name, "a name"),
    "id": (_name, "a name"),
    "root_id": (_optional_name, "a name"),
    "parent_id": (_optional_name, "a name"),
    "group": (_optional_name, "a name"),
    "group_index": (_count, "a number"),
    "shadow": (_optional_name, "a name"),
    "lang": (_optional_name, "a name"),
    "origin": (_optional_name, "a name"),
    "meth": (_optional_name, "a name"),
    "argsrepr": (_text, "a text"),
    "kwargsrepr": (_text, "a text"),
    "retries": (_count, "a number"),
    "replaced_task_nesting": (_count, "a number"),
    "timelimit": (_limits, "two numbers of seconds"),
    "expires": (_expiry, "a time"),
    "ignore_result": (_flag, "true or false"),
    "eta": (_nothing, "empty, since a delay is a row of the outbox"),
    "compression": (_nothing, "empty, since no compressed body is read"),
    "stamped_headers": (_nothing, "empty, since nothing is stamped here"),
    "stamps": (_nothing, "empty, since nothing is stamped here"),
}

_PROPERTIES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "correlation_id": (_optional_name, "a name"),
    "reply_to": (_optional_name, "a name"),
    "priority": (_count, "a number"),
}


def fault_of_headers(headers: Any) -> str | None:
    """What is wrong with the headers of a task message, as a sentence; None when nothing is."""
    if isinstance(headers, dict) and UNREADABLE in headers:
        return "properties cannot be read"
    if not isinstance(headers, dict) or not isinstance(headers.get("task"), str) or not headers.get("id"):
        return "no task name or no id in the headers"
    if excess := too_much(headers, MAX_HEADERS_WEIGHT):
        return f"headers are {excess}"
    for name, value in headers.items():
        if not isinstance(name, str):
            return f"header {told(name)} is not named by a text"
        fits, wanted = _HEADERS.get(name, (None, ""))
        if fits is not None and not fits(value):
            return f"header {name} is {told(value)}, not {wanted}"
        if fits is None and hasattr(Context, name) and not _nothing(value):
            # It would stand for what Celery itself says of a task.
            return f"header {told(name)} is {told(value)}, and is none that a message may have"
    return None


def fault_of_properties(message: Any) -> str | None:
    """What is wrong with the properties of a message, as a sentence; None when nothing is."""
    properties = getattr(message, "properties", None) or {}
    if excess := too_much(properties, MAX_HEADERS_WEIGHT):
        return f"properties are {excess}"
    for name, (fits, wanted) in _PROPERTIES.items():
        if not fits(properties.get(name)):
            return f"property {name} is {told(properties[name])}, not {wanted}"
    kind = getattr(message, "content_type", "application/json")
    if kind != "application/json":
        return f"content type is {told(kind)}, not application/json"
    encoding = getattr(message, "content_encoding", None)
    if encoding is not None and not (isinstance(encoding, str) and encoding.lower() in ENCODINGS):
        return f"content encoding is {told(encoding)}, not utf-8"
    return None


def judged(headers: Mapping[str, Any], longest_seconds: Sequence[float | None]) -> dict[str, Any]:
    """What Celery may read of headers without a fault: what it knows, and plain values of names that mean nothing to it.

    Hard and soft time limit are at most `longest_seconds`, the worker's own.
    """
    kept = {name: value for name, value in headers.items() if name in _HEADERS and not _nothing(value)}
    for name, value in headers.items():
        if name in _HEADERS or hasattr(Context, name) or name.startswith("x-"):
            continue
        if isinstance(value, str) or (name not in _TRACE and isinstance(value, int | float)):
            kept[name] = value
    if (moment := _moment(kept.get("expires"))) is not None:
        kept["expires"] = moment.isoformat()
    limits = zip(kept.get("timelimit") or (None, None), longest_seconds, strict=True)
    kept["timelimit"] = [min(limit, longest or limit) if limit else None for limit, longest in limits]
    return kept


def judged_properties(properties: Mapping[str, Any]) -> dict[str, Any]:
    """What Celery may read of properties without a fault."""
    return {name: properties[name] for name in _PROPERTIES if properties.get(name) is not None}


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100


def told(value: Any) -> str:
    """Any value for a message to a person: short, printable, in ASCII."""
    try:
        short = _SHORT.repr(value)
    except Exception:  # noqa: BLE001 - there is nothing that a repr may not raise
        short = type(value).__name__
    return short.encode("ascii", "backslashreplace").decode()[:200]
