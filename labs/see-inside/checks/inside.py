"""Tasks in four processes that are replaced every few tasks, and what the learner's metrics say of them."""

import json
import time
from typing import Any

from grader import measuring
from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.errors import Unable
from grader.session import Session, failed, passed

COMPLETED, FAILED, RUNTIME = KEYS = ("tasks_completed", "tasks_failed", "total_runtime")

MANY = 40
SECONDS = 0.4
OFF = 0.2
"""By how much a runtime may differ from what the worker says."""

FAILING = '''"""Written by the check: the metrics cannot be kept."""

import redis

import monitoring
from tasks import app

store = redis.Redis.from_url("redis://localhost:6379/9")


def cannot(self, *args, **kwargs):
    store.incr("handlers-failed")
    raise ConnectionError("the store of the metrics is away")


monitoring.TaskMetrics.record_completion = cannot
monitoring.TaskMetrics.record_failure = cannot
'''


def worker_that_recycles(session: Session) -> Finding:
    """Four processes, each replaced after five tasks, on the lab's own tasks.py."""
    session.place("tasks.py", (session.lab / "starter" / "tasks.py").read_bytes())
    recycling = worker.Parameters(
        app="tasks", concurrency=4, tasks=("work", "fail"), arguments=("--max-tasks-per-child", "5")
    )
    return worker.run(recycling, session)


def counts(session: Session) -> Finding:
    """Many tasks that succeed, in more processes than four."""
    before = _stats(session)
    processes = set(session.workers["worker"].running.processes())
    if not _ended(session, [("tasks.work", [f"count-{number}"]) for number in range(MANY)]):
        return failed("no-end", f"{MANY} tasks did not end in time")
    if set(session.workers["worker"].running.processes()) <= processes:
        raise Unable("the worker replaced none of its processes")
    return _counted(session, before, {COMPLETED: MANY, FAILED: 0})


def failures(session: Session) -> Finding:
    """Tasks of which most fail."""
    before = _stats(session)
    calls = [("tasks.fail", [f"fail-{number}"]) for number in range(9)]
    calls += [("tasks.work", [f"work-{number}"]) for number in range(3)]
    if not _ended(session, calls):
        return failed("no-end", "12 tasks did not end in time")
    return _counted(session, before, {COMPLETED: 3, FAILED: 9})


def runtimes(session: Session) -> Finding:
    """Tasks that sleep; the worker's own events say how long each ran."""
    before, began = _stats(session), time.monotonic()
    ids = _ended(session, [("tasks.work", [f"sleep-{number}", SECONDS]) for number in range(4)])
    after = _stats(session)
    if not ids:
        return failed("no-end", "4 tasks did not end in time")
    if before is None or after is None:
        return _no_stats()
    ends = [session.events.final(task_id, 1) for task_id in ids]
    really = sum(end.what["runtime"] for end in ends if end is not None)
    said = after[RUNTIME] - before[RUNTIME]
    seen = {"said_seconds": round(said, 2), "worker_seconds": round(really, 2)}
    if abs(said - really) > OFF * really:
        # A slow machine adds to what is measured round a task: to what the metrics say, or to what the worker says and they do not.
        measuring.tell(began)
        return failed(
            "other-runtime", f"four tasks ran {really:.2f} s together, and {RUNTIME} grew by {said:.2f}", **seen
        )
    return passed(f"four tasks ran {really:.2f} s, and {RUNTIME} grew by {said:.2f}", **seen)


def failing_handler(session: Session) -> Finding:
    """Recording raises, whatever the store is: the tasks must succeed, and the handlers must have been called."""
    session.place("failing.py", FAILING)
    session.place("tasks.py", (session.lab / "starter" / "tasks.py").read_bytes())
    started = worker.run(worker.Parameters(app="failing", name="failing", alone=True, tasks=("work",)), session)
    if not started.passed:
        return started
    ids = [session.send("tasks.work", [f"handler-{number}"]) for number in range(5)]
    for task_id in ids:
        end = session.results.final(task_id, session.left(15))
        if end is None or end.what["status"] != "SUCCESS":
            state = "no result" if end is None else f"the result {end.what['status']}"
            return failed("lost", f"the metrics could not be kept, and a task has {state}")
    with session.valkey.client(9) as store:

        def told() -> int:
            return int(store.get("handlers-failed") or 0)

        # A handler is called after the result was kept.
        session.in_time(lambda: told() >= len(ids), 5, every_seconds=0.05)
        calls = told()
    if calls < len(ids):
        return failed("not-called", f"{len(ids)} tasks ended, and TaskMetrics was told of {calls}", calls=calls)
    return passed(f"recording failed {calls} times, and all {len(ids)} tasks succeeded", calls=calls)


def _ended(session: Session, calls: list[tuple[str, list[Any]]]) -> list[str]:
    """Send these tasks; their ids when all of them have ended, else none."""
    ids = [session.send(name, args) for name, args in calls]
    return ids if all(session.events.final(task_id, session.left(25)) for task_id in ids) else []


def _counted(session: Session, before: dict[str, float] | None, expected: dict[str, int]) -> Finding:
    """Whether the counts grew by this much; asked again for a moment, because a store may be told a little later."""
    for _ in range(3):
        after = _stats(session)
        if before is None or after is None:
            return _no_stats()
        grown = {key: after[key] - before[key] for key in expected}
        if grown == expected:
            return passed(f"the counts grew by {json.dumps(expected)}", grown=grown)
    return failed(
        "other-counts", f"the counts grew by {json.dumps(grown)}, where {json.dumps(expected)} ended", grown=grown
    )


def _stats(session: Session) -> dict[str, float] | None:
    """What get_stats() says in a process that runs no task."""
    value = called(session, "monitoring:metrics.get_stats", seconds=15).value
    fine = isinstance(value, dict) and all(isinstance(value.get(key), int | float) for key in KEYS)
    return value if fine else None


def _no_stats() -> Finding:
    return failed("no-stats", f"monitoring.metrics.get_stats() did not return numbers for {', '.join(KEYS)}")
