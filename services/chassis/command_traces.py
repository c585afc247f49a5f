"""The spans and log lines of an outbox command: how long it waited, each attempt at it, and the attempt that a death ended.

    wait TASK      from when it was due until a worker took it up
    process TASK   one attempt, until its outcome is written
    process TASK   with outcome `died`: an attempt that has no outcome, told by the next one, from when it began until it was found out

They lie beside each other below what wrote the command, and are linked with the message that carried it, which is another trace because it
carries other commands as well. A command that waited for long begins a new trace with its `wait`: a trace should end before its reader
is gone. Waiting is measured by the database's clock, in which both ends of it are, and placed by ours. Commands that are worked on together
end together: one of them is slow by its own work, or by its part of what they have in common.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from chassis import logs, personal, subject_traces, traceparent, tracing
from chassis.loggers import get_logger
from chassis.outbox import Done, Outcome, Park, Retry, Work
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


def taken_up(work: Work, subject: Subject | None, asked: int) -> None:
    """A worker has it, and had `asked` for it then: begins the span of this attempt, if there is to be one, and tells that the last attempt
    died, if it did.

    The database ended the wait at some time between. A busy machine tells a worker late, and a wait that is placed by when it was told
    lies too late, behind a gap that nothing explains.
    """
    if work.attempts > 1:
        at = datetime.fromtimestamp(asked / 1e9 - (work.ran_seconds or 0.0), UTC)
        log.warning(
            "attempt_died",
            began=at.isoformat(timespec="milliseconds"),
            **{**fields(work, subject), "attempt": attempt(work) - 1},
            outcome="died",
        )
    if not tracing.on():
        return
    told = traceparent.read(work.headers.get("traceparent"))
    waited_seconds = _waited_seconds(work)
    above = told
    headers = work.headers
    if above is None or waited_seconds > LONG_WAIT_SECONDS:
        above = tracing.new_trace(sampled=waited_seconds > LONG_WAIT_SECONDS)
        headers = {**headers, "traceparent": str(above)}
    context = Context(above.trace_id, traceparent.new_span_id(), above.sampled)
    made = Span(f"process {work.task}", Kind.CONSUMER, context, above, None, asked)
    made.kept = work.tried or work.attempts > 1 or waited_seconds > SLOW_WAIT_SECONDS
    made.carrier = tracing.current()
    work.trace(made, told, headers)
    if work.attempts > 1:
        _tell_death(work, made, subject)


def _waited_seconds(work: Work) -> float:
    """Until the first attempt of which nobody told yet: this one, or the one that died."""
    ran_seconds = (work.ran_seconds or 0.0) if work.attempts > 1 else 0.0
    return max(0.0, (work.waited_seconds or 0.0) - ran_seconds)


def over(works: Iterable[Work], subject: Callable[[Work], Subject | None]) -> None:
    """The attempts at these, which were made together, are over, with an outcome or without; saying it again changes nothing."""
    together = [(work, work.span) for work in works if work.span is not None and not work.span.ended]
    for work, span in together:
        now = tracing.now()
        span.parts = len(together)
        if span.recorded or span.is_slow(now):
            span.kept = True
            _tell(work, span, subject(work))
        span.end(now)


def _tell(work: Work, made: Span, subject: Subject | None) -> None:
    """Fill in what is only worth its cost when the attempt is recorded, and the wait before it."""
    _name(made, work, subject, attempt(work))
    made.attributes.setdefault("outcome", "none")
    if made.carrier is not None:
        made.link(made.carrier.context)
        made.carrier.link(made.context)
    if work.attempts <= 1:
        wait = _wait(work, made, subject, made.began)
        wait.ended = made.began
        made.pending.append(wait)


def _tell_death(work: Work, made: Span, subject: Subject | None) -> None:
    """Tell what a process that was killed had not sent: its attempt, and the wait before it. At once, because this attempt may kill its
    process as well, and the next one knows of this one only."""
    started = made.began - int((work.ran_seconds or 0.0) * 1e9)
    if work.attempts == 2:  # the attempts between the first and this one began without a wait of their own
        _wait(work, made, subject, started).end(started)
    _death(work, made, subject, started).end(made.began)
    made.event("previous attempt died", made.began, began=datetime.fromtimestamp(started / 1e9, UTC).isoformat())


def _wait(work: Work, made: Span, subject: Subject | None, until: int) -> Span:
    above = made.parent
    assert above is not None
    began = until - int(_waited_seconds(work) * 1e9)
    if above == work.told:
        wait = Span(
            f"wait {work.task}", Kind.INTERNAL, replace(above, span_id=traceparent.new_span_id()), above, None, began
        )
    else:
        wait = Span(f"wait {work.task}", Kind.INTERNAL, above, None, None, began)
        wait.link(work.told)
    wait.kept = True
    _name(wait, work, subject, attempt(work) - (work.attempts > 1))
    message = made.carrier
    if message is not None and message.published is not None:
        # By the relay's clock, which may not be ours: it lies within the wait.
        told = int(message.published * 1e9)
        at = min(max(told, began), until)
        wait.event("published", at, **({"clamped": True} if at != told else {}))
    return wait


def _death(work: Work, made: Span, subject: Subject | None, began: int) -> Span:
    died = Span(
        made.name, Kind.CONSUMER, replace(made.context, span_id=traceparent.new_span_id()), made.parent, None, began
    )
    _name(died, work, subject, attempt(work) - 1)
    died.attributes["outcome"] = "died"
    died.fail(DIED, "it has no outcome; it ends here where the next attempt found that out")
    return died


def _name(span: Span, work: Work, subject: Subject | None, number: int) -> None:
    span.attributes["celery.task_name"] = work.task
    span.attributes["messaging.destination.name"] = work.queue
    span.attributes["attempt"] = number
    if subject is not None:
        span.attributes[subject[0]] = subject[1]
        own = subject_traces.own_trace(subject[1])
        linked = {span.context.trace_id, *(context.trace_id for context, _ in span.links)}
        if own is not None and span.parent is None and own.trace_id not in linked:
            span.link(own)


def ended(work: Work, outcome: Outcome, subject: Subject | None) -> None:
    """The command has this outcome: says so in its span and, unless it is done, in a log line."""
    name = type(outcome).__name__.lower()
    if work.span is not None:
        work.span.attributes["outcome"] = name
        if isinstance(outcome, Retry):
            # What explains the gap until the next wait begins; recorded also where nothing was tried, as while a circuit is open.
            work.span.kept = True
            work.span.set(retry__reason=outcome.reason, retry__after_seconds=round(outcome.after_seconds, 3))
        if isinstance(outcome, Park):
            work.span.fail(outcome.reason, personal.scrub(_first_line(outcome.detail)))
        elif isinstance(outcome, Retry) and outcome.counts:
            work.span.fail("retry", personal.scrub(_first_line(outcome.why)))
    if isinstance(outcome, Done):
        return
    told: Mapping[str, str | int] = fields(work, subject)
    if isinstance(outcome, Retry):
        log.info(
            "command_retried", why=outcome.why, next_in_seconds=round(outcome.after_seconds, 3), outcome=name, **told
        )
    else:
        log.error(
            "command_parked",
            reason=outcome.reason,
            detail=_first_line(outcome.detail),
            key=work.key,
            outcome=name,
            **told,
        )


def _first_line(text: str) -> str:
    """Of a traceback the last line, which says what was raised."""
    lines = text.strip().splitlines()
    return lines[-1 if text.startswith("Traceback") else 0][:500] if lines else ""


@contextmanager
def within(work: Work, subject: Subject | None, belongs: Callable[[], Iterable[str]]) -> Iterator[None]:
    """A block that works for this command alone: calls to the outside are its children, log lines name it, and what belongs to a person
    stands in neither."""
    named, held = logs.name(fields(work, subject)), personal.enter(belongs)
    entered = tracing.enter(work.span) if work.span is not None else None
    began = tracing.now()
    try:
        yield
    finally:
        if entered is not None and work.span is not None:
            tracing.leave(entered)
            work.span.kept |= tracing.now() - began > tracing.SLOW_SECONDS * 1e9
        personal.leave(held)
        logs.forget(named)
