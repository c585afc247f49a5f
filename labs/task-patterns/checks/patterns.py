"""Uploads with a size of their own, and batches on four processes and on one."""

import time

from grader import measuring
from grader.adapters.observed import FINAL_EVENTS
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.session import Session, Worker, failed, passed

ITEMS = 12
ITEM_SECONDS = 0.5
MOST_SHARE = 0.5
"""Of the sleep of all items, which no machine makes shorter, that many batches may take; four processes could do with a quarter."""

AT_ONCE = 3
"""Tasks that ran at the same moment show it as well, however long all took. Of a chain two may seem to: an end is said late."""

TENTHS = list(range(10, 101, 10))


def progress(session: Session) -> Finding:
    """A file of random lines: the states must come at every tenth, the summary must be that of the file."""
    lines = [b"x" * session.random.randrange(20, 200) + b"\n" for _ in range(session.random.randrange(2000, 3000))]
    path = session.place(f"upload-{session.random.randrange(16**6):06x}.txt", b"".join(lines))
    size = path.stat().st_size
    task_id = session.send(_task(session.workers["worker"], "process_upload"), [str(path)])
    end = session.results.final(task_id, session.left(15))
    states = [seen.what["result"] for seen in session.results.of(task_id) if seen.what["status"] == "PROGRESS"]
    if end is None:
        return failed("no-end", "process_upload did not end within 15 s")
    if end.what["status"] != "SUCCESS":
        return failed("failed", f"process_upload failed: {end.what['result']}")
    if not states:
        return failed("no-progress", "no state PROGRESS reached the caller")
    tenths = [state.get("progress") if isinstance(state, dict) else None for state in states]
    if tenths != TENTHS:
        return failed("tenths", f"progress was {tenths}, not {TENTHS}", progress=tenths)
    for state in states:
        read, least = state.get("bytes"), size * state["progress"] / 100
        if not isinstance(read, int) or not least <= read <= least + size / 10:
            return failed(
                "ahead", f"at {state['progress']} % it says it read {read} of {size} bytes", state=state, size=size
            )
    expected = {"bytes": size, "lines": len(lines)}
    got = end.what["result"] if isinstance(end.what["result"], dict) else {}
    if {key: got.get(key) for key in expected} != expected:
        return failed(
            "summary", f"the file has {expected}, and the task returned {end.what['result']}", expected=expected
        )
    return passed(f"ten tenths of {size} bytes, and the right summary", size=size)


def missing_file(session: Session) -> Finding:
    """The task must fail with FileNotFoundError, and not be tried again."""
    path = session.workspace / "nobody-uploaded-this.txt"
    task_id = session.send(_task(session.workers["worker"], "process_upload"), [str(path)])
    end = session.results.final(task_id, session.left(3))
    retries = sum(seen.what["type"] == "task-retried" for seen in session.events.of(task_id))
    if end is None:
        return failed("no-end", f"no failure within 3 s, and {retries} retries", retries=retries)
    if end.what["status"] == "SUCCESS":
        return failed("succeeded", f"a file that is not there succeeds: {end.what['result']}")
    error = end.what["result"].get("exc_type")
    if error != "FileNotFoundError":
        return failed("wrong-error", f"it fails with {error}, not FileNotFoundError", error=error)
    if retries:
        return failed("retried", f"it was tried again {retries} times", retries=retries)
    return passed("it fails with FileNotFoundError, at once")


def parallel(session: Session) -> Finding:
    """One batch of all items shows that each sleeps; as many batches as items must take at most half of it, with the same result."""
    name = _task(session.workers["worker"], "batch_process_items")
    items = [session.random.randrange(1000) for _ in range(ITEMS)]
    took, ids, began = {}, {}, time.monotonic()
    for batch_size in (ITEMS, 1):
        started = time.monotonic()
        task_id = ids[batch_size] = session.send(name, [items], {"batch_size": batch_size})
        end = session.results.final(task_id, session.left(20))
        if end is None:
            return failed("no-end", f"{ITEMS} items in batches of {batch_size} did not end within 20 s")
        if end.what["status"] != "SUCCESS" or end.what["result"] != [2 * item for item in items]:
            return failed("wrong-value", f"batches of {batch_size}: {str(end.what['result'])[:300]}")
        took[batch_size] = end.at - started
    alone = ITEM_SECONDS * ITEMS
    share, at_once = took[1] / alone, _at_once(session, ids[1])
    seen = {"one_batch_seconds": round(took[ITEMS], 2), "batches_seconds": round(took[1], 2), "at_once": at_once}
    if took[ITEMS] < alone:
        return failed("no-work", "the items were not worked on by work.process_item", **seen)
    if share > MOST_SHARE and at_once < AT_ONCE:
        measuring.tell(began)
        return failed(
            "slow", f"{ITEMS} batches took {share:.0%} of their sleep, at most {MOST_SHARE:.0%} are allowed", **seen
        )
    return passed(f"{ITEMS} batches took {share:.0%} of their sleep, {at_once} at a time", **seen)


def _at_once(session: Session, root: str) -> int:
    """The most tasks that had begun and not ended at one moment, of those that this one led to."""
    events = [seen.what for seen in session.events.all()]
    below = {event["uuid"] for event in events if event["type"] == "task-received" and event["root_id"] == root} - {
        root
    }
    running: set[str] = set()
    most = 0
    for event in events:
        if event["type"] == "task-started" and event["uuid"] in below:
            running.add(event["uuid"])
        elif event["type"] in FINAL_EVENTS:
            running.discard(event["uuid"])
        most = max(most, len(running))
    return most


def one_process(session: Session) -> Finding:
    """The same work on a worker with one process: it ends, with its value or with an error that the caller gets."""
    _restore_work(session)
    alone = worker.Parameters(app="tasks", name="single", concurrency=1, alone=True, tasks=("batch_process_items",))
    started = worker.run(alone, session)
    if not started.passed:
        return started
    task_id = session.send(_task(session.workers["single"], "batch_process_items"), [[1, 2, 3, 4]], {"batch_size": 1})
    end = session.results.final(task_id, session.left(12))
    if end is None:
        return failed("no-end", "four batches did not end within 12 s on one process")
    if end.what["status"] == "FAILURE":
        # What the work is worth is the check before's; here a caller must not be left waiting.
        return passed(f"four batches ended on one process, as a failure: {str(end.what['result'])[:100]}")
    if end.what["result"] != [2, 4, 6, 8]:
        return failed("wrong-value", f"four batches on one process: {str(end.what['result'])[:300]}")
    return passed("four batches ended on one process")


def _restore_work(session: Session) -> None:
    session.place("work.py", (session.lab / "starter" / "work.py").read_bytes())


def _task(one: Worker, name: str) -> str:
    return one.task(name) or f"tasks.{name}"
