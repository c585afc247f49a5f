"""Workers with the learner's settings, each on the queues that the learner's routes give it, and loads that show what they can do."""

import contextlib
import time

import psutil

from grader import measuring
from grader.calling import called
from grader.checks import queue, worker
from grader.domain.verdict import Finding
from grader.errors import TooBusy
from grader.session import Session, failed, passed

LABS_OWN = ("__init__.py", "tasks.py", "cpu_worker.py", "io_worker.py")
CPU, IO, URGENT, CLEAN_UP = (f"app.tasks.{name}" for name in ("cpu_intensive", "io_intensive", "urgent", "clean_up"))

CPU_TASKS, CPU_SECONDS = 12, 0.2
TIMES_FASTER = 1.6
CORES = 2
"""More than the cores of a small machine are not counted."""

IO_TASKS, IO_SECONDS = 40, 1.0
TIMES_OVERLAPPED = 10

BACKLOG = 6
"""So many tasks of a second each fill the queue of computing before something urgent is sent."""

URGENT_SECONDS = 0.5

SEND = """from app.tasks import app


def send(calls):
    return [app.send_task(name, args).id for name, args in calls]


def of_each():
    send([["app.tasks.cpu_intensive", [1]], ["app.tasks.io_intensive", [1]], ["app.tasks.urgent", []]])


def queue_of(name):
    return app.amqp.router.route({}, name)["queue"].name
"""


def routes(session: Session) -> Finding:
    """Send one of each by the learner's routes, while no worker runs."""
    _put(session)
    waiting = {"cpu_intensive": 1, "io_intensive": 1, "urgent": 1}
    return queue.run(queue.Parameters(call="sending:of_each", waiting=waiting, apart=True), session)


def computing_in_parallel(session: Session) -> Finding:
    """Find out how much of the computing was done side by side: all of it, divided by what the busiest process did.

    Processor time is what a busy machine does not change: side by side on two cores is so many times as fast as one process.
    """
    found = _workers(session, "cpu_worker")
    if not found.passed:
        return found
    running = session.workers["cpu_worker"].running
    before, used = _processor_seconds(running.processes()), {}
    ids = [session.send(CPU, [CPU_SECONDS], queue=session.kept["queues"][CPU]) for _ in range(CPU_TASKS)]

    def ended() -> bool:
        used.update(_processor_seconds(running.processes()))
        return all(session.events.final(task_id, 0) is not None for task_id in ids)

    if not session.in_time(ended, 60, every_seconds=0.05):
        return failed("no-end", f"{CPU_TASKS} tasks that use the processor for {CPU_SECONDS:g} s did not end in time")
    spent = sorted((seconds - before.get(pid, 0.0) for pid, seconds in used.items()), reverse=True)
    times = min(sum(spent) / spent[0], CORES)
    seen = {"processor_seconds": [round(seconds, 2) for seconds in spent], "times_faster": round(times, 2)}
    shares = ", ".join(f"{seconds:.1f}" for seconds in spent if seconds >= CPU_SECONDS / 2)
    if times < TIMES_FASTER and sum(seconds >= 2 * CPU_SECONDS for seconds in spent) > 1:
        raise TooBusy(f"two processes computed {shares} s: one of them got less of the processors")
    if times < TIMES_FASTER:
        return failed(
            "not-faster",
            f"the processes computed {shares} s: {times:.1f} times as fast as one, not {TIMES_FASTER} times",
            **seen,
        )
    return passed(f"the processes computed {shares} s side by side: {times:.1f} times as fast as one", **seen)


def waiting_overlaps(session: Session) -> Finding:
    """Many tasks that wait a second each, and how many of them wait at the same time."""
    found = _workers(session, "io_worker")
    if not found.passed:
        return found
    name = session.kept["queues"][IO]
    if name not in session.workers["io_worker"].queues:
        return failed("not-consumed", f"io_intensive is routed to {name}, which no worker consumes")
    began = time.monotonic()
    ids = {session.send(IO, [IO_SECONDS], queue=name) for _ in range(IO_TASKS)}

    def enough() -> bool:
        at_once, ended = _at_once(session, ids)
        return at_once >= TIMES_OVERLAPPED or ended >= IO_TASKS / 2

    session.in_time(enough, 40, every_seconds=0.1)
    at_once, ended = _at_once(session, ids)
    seen = {"at_once": at_once, "ended": ended}
    if not ended and not at_once:
        return failed("no-end", f"{IO_TASKS} tasks that wait {IO_SECONDS:g} s were sent, and none was begun", **seen)
    if at_once < TIMES_OVERLAPPED:
        # Where it takes longer to begin a task than the task waits, few do so at once.
        measuring.tell(began)
        return failed(
            "slow", f"of {IO_TASKS} tasks that wait, {at_once} waited at the same time, not {TIMES_OVERLAPPED}", **seen
        )
    return passed(f"of {IO_TASKS} tasks that wait, {at_once} waited at the same time", **seen)


def urgent_first(session: Session) -> Finding:
    """Fill the queue of computing; what is urgent must be done while nearly all of that still waits."""
    found = _workers(session, "cpu_worker", "io_worker")
    if not found.passed:
        return found
    queues = session.kept["queues"]
    first = session.send(URGENT, queue=queues[URGENT])
    if session.events.final(first, 5) is None:
        return failed("no-end", "nothing else was to be done, and an urgent task was not carried out within 5 s")
    backlog = [session.send(CPU, [1.0], queue=queues[CPU]) for _ in range(BACKLOG)]
    if session.events.first(backlog[0], lambda event: event["type"] == "task-started", 10) is None:
        return failed("no-end", f"cpu_intensive was sent to {queues[CPU]}, and nobody began it")
    sent = time.monotonic()
    end = session.events.final(session.send(URGENT, queue=queues[URGENT]), session.left(30))
    done = sum(session.events.final(task_id, 0) is not None for task_id in backlog)
    # Nobody needs the rest, and the next check should not wait for it.
    session.app.control.revoke(backlog)
    seen = {"seconds": round(time.monotonic() - sent, 2), "computed_before": done}
    if end is not None and BACKLOG // 2 < done < BACKLOG - 1:
        # Behind all of them in one queue, two processes would have done five when they come to it.
        measuring.tell(sent)
    if end is None or done > BACKLOG // 2:
        return failed("behind", f"an urgent task waited while {done} of {BACKLOG} tasks of computing were done", **seen)
    if end.at - sent > URGENT_SECONDS and done == 0:
        raise TooBusy(f"an urgent task took {end.at - sent:.1f} s and nobody was before it")
    return passed(
        f"an urgent task took {end.at - sent:.2f} s while {BACKLOG - done} tasks of computing waited or ran", **seen
    )


def all_consumed(session: Session) -> Finding:
    """One of each kind, sent by the learner's routes."""
    found = _workers(session, "cpu_worker", "io_worker")
    if not found.passed:
        return found
    names = (CPU, IO, URGENT, CLEAN_UP)
    sent = called(session, "sending:send", [[[CPU, [0.1]], [IO, [0.1]], [URGENT, []], [CLEAN_UP, []]]])
    if not isinstance(sent.value, list):
        return failed("not-sent", f"sending one task of each kind {sent.why}")
    left = [
        name
        for name, task_id in zip(names, sent.value, strict=True)
        if session.events.final(task_id, session.left(15)) is None
    ]
    if left:
        where = ", ".join(f"{name} waits in {session.kept['queues'][name]}" for name in left)
        return failed("not-consumed", f"{where}, which no worker consumes", left=left)
    return passed("one task of each kind was sent and carried out")


def _at_once(session: Session, ids: set[str]) -> tuple[int, int]:
    """The most of these tasks that had begun and not ended at one moment, and how many have ended."""
    running = most = ended = 0
    for seen in session.events.all():
        if seen.what.get("uuid") not in ids:
            continue
        if seen.what["type"] == "task-started":
            running += 1
            most = max(most, running)
        elif seen.what["type"] == "task-succeeded":
            running, ended = running - 1, ended + 1
    return most, ended


def _processor_seconds(pids: list[int]) -> dict[int, float]:
    """What each of these processes, as far as it is still there, has used so far."""
    used = {}
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(pid).cpu_times()
            used[pid] = times.user + times.system
    return used


def _workers(session: Session, *names: str) -> Finding:
    """Start these workers, as far as they do not run, each on its queues."""
    _put(session)
    if "queues" not in session.kept:
        found = {task: called(session, "sending:queue_of", [task]) for task in (CPU, IO, URGENT, CLEAN_UP)}
        if any(end.error or not end.ended for end in found.values()):
            return failed("no-routes", f"asking for the queue of cpu_intensive {found[CPU].why}")
        session.kept["queues"] = {task: end.value for task, end in found.items()}
    queues: dict[str, str] = session.kept["queues"]
    # A worker consumes what the routes name; whatever has no route goes to the queue celery, which nobody is told to consume.
    named = {name for name in queues.values() if name not in ("celery", queues[CPU])}
    of = {"cpu_worker": (queues[CPU],), "io_worker": tuple(sorted(named))}
    for name in names:
        running = session.workers.get(name)
        if running is not None and running.running.poll() is None:
            continue
        if not of[name]:
            return failed("no-queue", "your routes name no queue beside the one of cpu_intensive")
        started = worker.run(worker.Parameters(app=f"app.{name}", name=name, concurrency=0, queues=of[name]), session)
        if not started.passed:
            return failed(started.reason, f"{name}: {started.because}", **started.seen)
    return passed("the workers run")


def _put(session: Session) -> None:
    """The lab's own application, and modules of the check's."""
    for name in LABS_OWN:
        session.place(f"app/{name}", (session.lab / "starter" / "app" / name).read_bytes())
    session.place("sending.py", SEND)
