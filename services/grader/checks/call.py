"""Calls tasks over the real broker and compares how they end: as the caller gets it, or as the worker reports it.

`observe: results` looks at what reaches the result store, `observe: events` at what the worker says, which also tells of tasks whose
result nobody keeps. The cases are played one after the other, and the first that does not hold decides.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from grader.checks import Strict
from grader.domain.verdict import Finding
from grader.session import Session, Worker, failed, passed


class Case(Strict):
    """One call, and how it has to end: with `value`, or by failing (`fails`: the name of an exception, or `true` for any)."""

    task: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = Field(default_factory=dict)
    value: Any = None
    fails: str | bool = False


class Parameters(Strict):
    """Which calls, of whom."""

    worker: str = Field(default="worker", description="The name of the worker, as the check that started it says.")
    observe: Literal["results", "events"] = "results"
    within: float = Field(default=10, gt=0, le=300, description="Seconds that each call may take.")
    cases: tuple[Case, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_end(self) -> "Parameters":
        for case in self.cases:
            if case.fails and "value" in case.model_fields_set:
                raise ValueError(f'case of "{case.task}": it cannot both have a value and fail')
        return self


def run(parameters: Parameters, session: Session) -> Finding:
    """Passes when every call ends as its case says."""
    worker = session.workers[parameters.worker]
    calls = []
    for case in parameters.cases:
        finding = _played(case, parameters, worker, session)
        if not finding.passed:
            return finding
        calls.append(f"{_written(case)}: {finding.because}")
    return passed(f"{len(calls)} calls ended as they should", calls=calls)


def _played(case: Case, parameters: Parameters, worker: Worker, session: Session) -> Finding:
    name = worker.task(case.task)
    written = _written(case)
    if name is None:
        return failed("not-registered", f"the worker has no task {case.task}", tasks=list(worker.tasks))
    queue = {"queue": worker.queues[0]} if worker.queues else {}
    task_id = session.send(name, case.args, case.kwargs, **queue)
    log = session.results if parameters.observe == "results" else session.events
    session.in_time(lambda: log.final(task_id, 0) is not None, session.left(parameters.within))
    end = log.final(task_id, 0)
    if end is None:
        return _endless(written, task_id, worker, session)
    if parameters.observe == "results":
        return _result(case, written, end.what)
    return _event(case, written, end.what)


def _endless(written: str, task_id: str, worker: Worker, session: Session) -> Finding:
    """Why nothing came: the reasons differ, and so do the hints."""
    events = [seen.what["type"] for seen in session.events.of(task_id)]
    if worker.running.poll() is not None:
        return failed("worker-ended", f"{written}: the worker ended", status=worker.running.poll(), events=events)
    if not events:
        return failed("not-received", f"{written}: the worker never received it", events=events)
    if session.events.final(task_id, 0) is not None:
        return failed(
            "no-result", f"{written}: the task ended in the worker, and no result reached the caller", events=events
        )
    return failed("no-end", f"{written}: it began and did not end in time", events=events)


def _result(case: Case, written: str, what: Mapping[str, Any]) -> Finding:
    result = what.get("result")
    if what["status"] != "SUCCESS":
        kind = result.get("exc_type", "") if isinstance(result, dict) else str(result)
        return _failure(case, written, str(kind))
    if case.fails:
        return failed("not-failed", f"{written} returned {result!r} where it has to fail", value=result)
    if result != case.value or isinstance(result, bool) != isinstance(case.value, bool):
        return failed("wrong-value", f"{written} returned {result!r}, not {case.value!r}", value=result)
    return passed(repr(result))


def _event(case: Case, written: str, what: Mapping[str, Any]) -> Finding:
    if what["type"] != "task-succeeded":
        return _failure(case, written, str(what.get("exception", "")).partition("(")[0])
    shown = str(what.get("result"))
    if case.fails:
        return failed("not-failed", f"{written} returned {shown} where it has to fail", value=shown)
    if "value" in case.model_fields_set and shown != repr(case.value):
        return failed("wrong-value", f"{written} returned {shown}, not {case.value!r}", value=shown)
    return passed(shown)


def _failure(case: Case, written: str, kind: str) -> Finding:
    if not case.fails:
        return failed("failed", f"{written} failed with {kind}", error=kind)
    if isinstance(case.fails, str) and kind != case.fails:
        return failed("wrong-error", f"{written} failed with {kind}, not {case.fails}", error=kind)
    return passed(kind)


def _written(case: Case) -> str:
    named = [f"{key}={value!r}" for key, value in case.kwargs.items()]
    return f"{case.task}({', '.join([*map(repr, case.args), *named])})"
