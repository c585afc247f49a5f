"""The spans and log lines of an outbox command: how long it waited, each attempt at it, and the attempt that a death ended.

    wait TASK      from when it was due until a worker took it up
    process TASK   one attempt, until its outcome is written
    process TASK   with outcome `died`: an attempt that has no outcome, told by the next one, from when it began until it was found out

They lie beside each other below what wrote the command, and are linked with the message that carried it, which is another trace because it
carries other commands as well. A command that waited for long begins a new trace with its `wait`: a trace should end before its reader
is gone. Waiting is measured by the database's clock, in which both ends of it are, and placed by ours.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from chassis import logs, personal, traceparent, tracing
from chassis.loggers import get_logger
from chassis.outbox import Outcome, Park, Retry, Work
from chassis.traceparent import Context
from chassis.tracing import Kind, Span

log = get_logger(__name__)

LONG_WAIT_SECONDS = 20.0
"""A command that waited longer begins a new trace."""

SLOW_WAIT_SECONDS = 10.0
"""A command that waited longer is recorded whether its trace is sampled or not."""

DIED = "WorkerLostError"
"""Celery's name for what a killed process leaves behind."""

Subject = tuple[str, str]
"""The attribute that names what a command is about, and its value, for example `order.id` and a UUID."""


def attempt(work: Work) -> int:
    """Which attempt at the command this is, from 1."""
    return work.failures + max(work.attempts, 1)


def fields(work: Work, subject: Subject | None) -> dict[str, str | int]:
    """What a log line about the command names."""
    about = {} if subject is None else {subject[0].replace(".", "_"): subject[1]}
    return {"task": work.task, "queue": work.queue, "attempt": attempt(work), **about}


def taken_up(work: Work, subject: Subject | None) -> Work:
    """The command with the span of this attempt, if there is to be one; tells that the last attempt died, if it did."""
    if work.attempts > 1:
        at = datetime.fromtimestamp(tracing.now() / 1e9 - (work.ran_seconds or 0.0), UTC)
        log.warning(
            "attempt_died",
            began=at.isoformat(timespec="milliseconds"),
            **{**fields(work, subject), "attempt": attempt(work) - 1},
            outcome="died",
        )
    if not tracing.on():
        return work
    now = tracing.now()
    # What a process that was killed had not sent is told again by the next attempt: the wait, and the attempt.
    started = now - int((work.ran_seconds or 0.0) * 1e9) if work.attempts > 1 else now
    waited_seconds = max(0.0, (work.waited_seconds or 0.0) - (now - started) / 1e9)
    told = traceparent.read(work.headers.get("traceparent"))
    above = told if waited_seconds <= LONG_WAIT_SECONDS else None
    message = tracing.current()
    made = tracing.begin(f"process {work.task}", Kind.CONSUMER, began=now)
    assert made is not None
    if work.attempts <= 2:  # the attempts between the first and this one began without a wait of their own
        wait = tracing.begin(
            f"wait {work.task}", Kind.INTERNAL, parent=above, began=started - int(waited_seconds * 1e9)
        )
        assert wait is not None
        if above is None:
            wait.link(told)
            wait.context = above = replace(wait.context, sampled=True)
        _name(wait, work, subject, attempt(work) if work.attempts <= 1 else attempt(work) - 1)
        _published(wait, message, started)
        wait.ended = started
        made.pending.append(wait)
    above = above or told or made.context
    made.parent = above
    made.context = Context(above.trace_id, made.context.span_id, above.sampled)
    made.kept = work.failures > 0 or work.attempts > 1 or waited_seconds > SLOW_WAIT_SECONDS
    _name(made, work, subject, attempt(work))
    if message is not None:
        made.link(message.context)
        message.link(made.context)
        made.carrier = message
    if work.attempts > 1:
        _tell_death(made, work, subject, started)
    return replace(work, span=made, headers={**work.headers, "traceparent": str(above)})


def _name(span: Span, work: Work, subject: Subject | None, number: int) -> None:
    span.attributes["celery.task_name"] = work.task
    span.attributes["messaging.destination.name"] = work.queue
    span.attributes["attempt"] = number
    if subject is not None:
        span.attributes[subject[0]] = subject[1]
        own = tracing.own_trace(subject[1])
        if (
            own is not None
            and span.parent is None
            and own.trace_id not in {span.context.trace_id, *(context.trace_id for context, _ in span.links)}
        ):
            span.link(own)


def _published(wait: Span, message: Span | None, until: int) -> None:
    """The publication, as the relay's clock has it, which may not be ours: it lies within the wait."""
    if message is not None and message.published is not None:
        told = int(message.published * 1e9)
        at = min(max(told, wait.began), until)
        wait.event("published", at, **({"clamped": True} if at != told else {}))


def _tell_death(made: Span, work: Work, subject: Subject | None, began: int) -> None:
    died = tracing.begin(made.name, Kind.CONSUMER, parent=made.parent, began=began)
    assert died is not None
    _name(died, work, subject, attempt(work) - 1)
    died.attributes["outcome"] = "died"
    died.fail(DIED, "it has no outcome; it ends here where the next attempt found that out")
    died.end(made.began)
    made.event("previous attempt died", made.began, began=datetime.fromtimestamp(began / 1e9, UTC).isoformat())


def ended(work: Work, outcome: Outcome, subject: Subject | None) -> None:
    """The command has this outcome: says so in its span and, unless it is done, in a log line."""
    name = type(outcome).__name__.lower()
    if work.span is not None:
        work.span.attributes["outcome"] = name
        if isinstance(outcome, Park):
            work.span.fail(outcome.reason, personal.scrub(_first_line(outcome.detail)))
        elif isinstance(outcome, Retry) and outcome.counts:
            work.span.fail("retry", personal.scrub(_first_line(outcome.why)))
    told: Mapping[str, str | int] = fields(work, subject)
    if isinstance(outcome, Retry):
        log.info(
            "command_retried", why=outcome.why, next_in_seconds=round(outcome.after_seconds, 3), outcome=name, **told
        )
    elif isinstance(outcome, Park):
        log.error(
            "command_parked",
            reason=outcome.reason,
            detail=_first_line(outcome.detail),
            key=work.key,
            outcome=name,
            **told,
        )


def over(works: Iterable[Work]) -> None:
    """The attempts at these are over, with an outcome or without; saying it again changes nothing."""
    for work in works:
        if work.span is not None:
            work.span.attributes.setdefault("outcome", "none")
            work.span.end()


def _first_line(text: str) -> str:
    """Of a traceback the last line, which says what was raised."""
    lines = text.strip().splitlines()
    return lines[-1 if text.startswith("Traceback") else 0][:500] if lines else ""


@contextmanager
def within(work: Work, subject: Subject | None = None) -> Iterator[None]:
    """A block that works for this command alone: calls to the outside are its children, and log lines name it."""
    with logs.naming(**fields(work, subject)), tracing.inside(work.span or tracing.current()):
        yield
