"""Logs for collectors: one JSON object a line on stderr, with the task's and the trace's id, and without personal data.

What a log line must not hold is decided by the name of the field, at every depth, so a careless `log.info("order", order=order)`
gives nothing away. Lines of libraries that use the standard `logging` come out in the same form.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

from chassis.loggers import structlog
from chassis.settings import ServiceSettings

PERSONAL = frozenset(
    {"email", "name", "address", "street", "city", "postcode", "card", "phone", "customer", "token", "password"}
)
"""Fields that are never written; the logger's and the pool's own names have other fields."""

HIDDEN = "[removed]"


def without_personal_data(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every field in PERSONAL, at every depth."""
    for field, value in event.items():
        event[field] = HIDDEN if field in PERSONAL else _clean(value)
    return event


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {field: HIDDEN if field in PERSONAL else _clean(inner) for field, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value


def with_task(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the id of the running task, and of the current trace, when there are any."""
    state = sys.modules.get("celery._state")  # a process that never imported Celery runs no task
    task = state.get_current_task() if state else None
    if task is not None and task.request.id:
        event.setdefault("task_id", task.request.id)
        event.setdefault("task", task.name)
    api = sys.modules.get("opentelemetry.trace")
    span = api.get_current_span().get_span_context() if api else None
    if span is not None and span.is_valid:
        event["trace_id"] = format(span.trace_id, "032x")
        event["span_id"] = format(span.span_id, "016x")
    return event


def configure(settings: ServiceSettings) -> None:
    """Send every log line of this process to stderr in the form the settings ask for. Safe to repeat."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        with_task,
    ]
    as_json = settings.log_format == "json"
    render = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
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
            *([structlog.processors.format_exc_info] if as_json else []),
            without_personal_data,
            _with(pool=settings.pool),
            render,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    logging.captureWarnings(True)


def _with(**fields: Any) -> Any:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.update(fields)
        return event

    return add
