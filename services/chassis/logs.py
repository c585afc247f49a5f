"""Logs for collectors: one JSON object a line on stderr, with the task's and the trace's id, and without personal data.

What a log line must not hold is decided by chassis.personal, at every depth, so a careless `log.info("order", order=order)` gives nothing
away. Lines of libraries that use the standard `logging` come out in the same form. A line is at most LONGEST_LINE long.
"""

import contextvars
import json
import logging
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from chassis import tracing
from chassis.loggers import structlog
from chassis.personal import HIDDEN, PERSONAL, cleaned
from chassis.settings import ServiceSettings

LONGEST_LINE = 16 * 1024
"""Bytes of a line; a longer one is cut field by field, because collectors cut a line anywhere, and what is left is no JSON."""

LONGEST_VALUE = 8 * 1024
"""Characters of a text in a line; of an exception the end is kept, which says what was raised."""

HIDDEN_LENGTH = "[left out: too long]"

_render = structlog.processors.JSONRenderer()

_named: contextvars.ContextVar[Mapping[str, Any] | None] = contextvars.ContextVar("_named", default=None)


Token = contextvars.Token[Mapping[str, Any] | None]


def name(fields: Mapping[str, Any]) -> Token:
    """From now on every line of this thread, or task of an event loop, has these fields as well, until `forget`."""
    outer = _named.get()
    return _named.set(fields if outer is None else {**outer, **fields})


def forget(token: Token) -> None:
    """End what `name` began, in the same thread."""
    _named.reset(token)


@contextmanager
def naming(**fields: Any) -> Iterator[None]:
    """Inside the block, every line has these fields as well."""
    token = name(fields)
    try:
        yield
    finally:
        forget(token)


def without_personal_data(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take personal data out, by field and by value, at every depth."""
    for field, value in event.items():
        if not field.endswith("_id"):  # an id is ours, and has to be found as it is
            event[field] = HIDDEN if field in PERSONAL else cleaned(value)
    return event


def with_task(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add what the running task and command are, and the ids of the current trace and span, when there are any."""
    state = sys.modules.get("celery._state")  # a process that never imported Celery runs no task
    task = state.get_current_task() if state else None
    if task is not None and task.request.id:
        event.setdefault("task_id", task.request.id)
        event.setdefault("task", task.name)
        event.setdefault("queue", (task.request.delivery_info or {}).get("routing_key"))
    for field, value in (_named.get() or {}).items():
        event.setdefault(field, value)
    span = tracing.current()
    if span is not None:
        event["trace_id"] = f"{span.context.trace_id:032x}"
        event["span_id"] = f"{span.context.span_id:016x}"
    return event


def as_line(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    """The line; what makes it too long is cut, or left out, the longest first."""
    line = str(_render(logger, method, event))
    if len(line) <= LONGEST_LINE:
        return line
    for field, value in event.items():
        if isinstance(value, str) and len(value) > LONGEST_VALUE:
            kept = value[-LONGEST_VALUE:] if field == "exception" else value[:LONGEST_VALUE]
            event[field] = f"{kept} ({len(value)} characters)"
    for field in sorted(event, key=lambda field: len(json.dumps(event[field], default=repr)), reverse=True):
        line = str(_render(logger, method, event))
        if len(line) <= LONGEST_LINE:
            break
        event[field] = HIDDEN_LENGTH
    return line[:LONGEST_LINE]


def configure(settings: ServiceSettings, service: str = "") -> None:
    """Send every log line of this process to stderr in the form the settings ask for. Safe to repeat."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        with_task,
    ]
    as_json = settings.log_format == "json"
    render = as_line if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(allow=())],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            without_personal_data,
            _with(pool=settings.pool, service=service, version=settings.service_version, process=settings.process_name),
            render,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    # A line of it for each call to the outside was most of what a smooth order wrote; the call's span says as much.
    logging.getLogger("httpx").setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)


def _with(**fields: Any) -> Any:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.update(fields)
        return event

    return add
