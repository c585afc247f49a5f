"""A partner that says nothing, or next to nothing, and what a worker does about it."""

import time

from grader import measuring
from grader.adapters.http_server import Answer
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

NAME = "worker"
SILENT_SECONDS = 180
"""Longer than a grading on a busy machine takes: a call that hangs must not end because the partner answers at last."""

MUTE = Answer(body={"price": 1}, after_seconds=SILENT_SECONDS)
DRIPPING = Answer(body={"price": "0" * SILENT_SECONDS}, byte_seconds=1)
SLOW = Answer(body={"price": 7}, after_seconds=2)

OTHERS_SECONDS = 10
"""What the README promises to an echo behind two hung calls."""

HUNG_SECONDS = 8 + 3
"""What the README allows a hung call, and what the way there and back may take on a busy machine."""


def others_go_on(session: Session) -> Finding:
    """Two mute calls take both processes; an echo has to be carried out all the same."""
    started = worker.run(worker.Parameters(app="tasks", name=NAME, tasks=("fetch_price", "echo")), session)
    if not started.passed:
        return started
    calls = [_called(session, f"/mute-{number}", MUTE) for number in range(2)]
    if not all(session.events.first(call, lambda event: event["type"] == "task-started", 10) for call in calls):
        return failed("not-started", "the two calls of the mute partner were not begun")
    echo = session.send(_task(session, "echo"), ["still here"])
    end = session.results.final(echo, session.left(OTHERS_SECONDS))
    if end is None or end.what["result"] != "still here":
        return failed(
            "held-up", f"two calls of a mute partner, and an echo was not carried out within {OTHERS_SECONDS} s"
        )
    return passed("the echo was carried out although two calls hung")


def ended_and_cleaned(session: Session) -> Finding:
    """A mute call and one that drips have to fail, and the set has to be empty again."""
    if NAME not in session.workers:
        return failed("not-started", "there is no worker")
    addresses = {"/mute": MUTE, "/dripping": DRIPPING}
    calls = {path: _called(session, path, answer) for path, answer in addresses.items()}
    store = session.valkey.client()
    for path, call in calls.items():
        if not session.http.wait(path, 1, 10):
            return failed("not-asked", f"the partner was not asked for {path}")
        end = session.results.final(call, session.left(HUNG_SECONDS))
        if end is None:
            return failed("no-end", f"the call of {path} still hangs after {HUNG_SECONDS} s", path=path)
        if end.what["status"] != "FAILURE":
            return failed("no-failure", f"the call of {path} ended as {end.what['status']}", path=path)
    left = sorted(store.smembers("in_progress"))
    # The calls of the check before hang as well, and are over by now.
    if left:
        return failed("not-cleaned", f"all calls ended, and in_progress still holds {len(left)} of them", left=left)
    return passed("both calls failed, and in_progress is empty")


def worker_stays(session: Session) -> Finding:
    """A slow call succeeds, in the process that was started first."""
    if NAME not in session.workers:
        return failed("not-started", "there is no worker")
    running, began = session.workers[NAME].running, time.monotonic()
    call = _called(session, "/slow", SLOW)
    if not session.http.wait("/slow", 1, session.left(12)):
        return failed("held-up", "the worker began no further call")
    end = session.results.final(call, session.left(12))
    if end is None or end.what["status"] != "SUCCESS":
        # Its limit has in it what a slow machine adds to the 2 s.
        measuring.tell(began)
        return failed(
            "too-short", "a call that takes 2 s did not succeed", state=None if end is None else end.what["status"]
        )
    if running.poll() is not None:
        return failed("restarted", f"the worker ended with status {running.poll()}")
    online = [seen for seen in session.events.all() if seen.what["type"] == "worker-online"]
    if len(online) != 1:
        return failed("restarted", f"the worker came up {len(online)} times", times=len(online))
    return passed("a call that takes 2 s succeeds, in the worker that was started first")


def _called(session: Session, path: str, answer: Answer) -> str:
    session.http.script(path, [answer])
    return session.send(_task(session, "fetch_price"), [session.http.url(path)])


def _task(session: Session, name: str) -> str:
    return session.workers[NAME].task(name) or f"tasks.{name}"
