"""A base class under watch, a producer that dies half-way, and a pipeline from a source that is away."""

import json
from collections import Counter
from typing import Any

from grader import measuring
from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.errors import Unable
from grader.killing import kill_pool
from grader.session import Session, failed, passed

TASKS = ("produce_data", "consume_data", "extract_data", "transform_data", "load_data")
HOOKS = ("on_success", "on_failure", "on_retry")
QUEUE = "parcels"
ITEMS = 600
HALF_WAY = 30
"""So many items sent are enough to kill the producer."""

ROUNDS = 4
FAILURE_SECONDS = 5
"""What the README allows an unknown source."""

OBSERVED = '''"""Written by the check: tasks on the learner's base, and a record of what its hooks log."""

import logging

import redis

import tasks
from tasks import app

store = redis.Redis.from_url("redis://localhost:6379/9")
caught = []
handle = logging.Logger.handle


def handled(self, record):
    caught.append(record)
    handle(self, record)


logging.Logger.handle = handled


def watched(name):
    own = getattr(tasks.BaseTask, name)

    def hook(self, what, task_id, *rest):
        caught.clear()
        own(self, what, task_id, *rest)
        if any(task_id in f"{record.getMessage()} {vars(record)}" for record in caught):
            store.rpush("hooks", f"{name} {task_id}")

    setattr(tasks.BaseTask, name, hook)


for name in ("on_success", "on_failure", "on_retry"):
    watched(name)


@app.task(base=tasks.BaseTask, name="observed.succeed")
def succeed():
    return 1


@app.task(base=tasks.BaseTask, name="observed.fail")
def fail():
    raise RuntimeError("on purpose")


@app.task(bind=True, base=tasks.BaseTask, name="observed.again", max_retries=1)
def again(self):
    if not self.request.retries:
        raise self.retry(countdown=0)
'''


def observed_worker(session: Session) -> Finding:
    """One process, and tasks of the check's beside the learner's. It does not consume the queue of items yet."""
    session.place("stores.py", (session.lab / "starter" / "stores.py").read_bytes())
    session.place("observed.py", OBSERVED)
    return worker.run(worker.Parameters(app="observed", concurrency=1, queues=("celery",), tasks=TASKS), session)


def hooks(session: Session) -> Finding:
    """A task that succeeds, one that fails and one that is tried again, each with the learner's base."""
    names = dict(zip(HOOKS, ("succeed", "fail", "again"), strict=True))
    ids = {hook: session.send(f"observed.{task}") for hook, task in names.items()}
    for hook, task_id in ids.items():
        if session.events.final(task_id, session.left(10)) is None:
            return failed("no-end", f"a task that should lead to {hook} did not end")
    with session.valkey.client(9) as store:
        told = set(store.lrange("hooks", 0, -1))
    silent = [hook for hook, task_id in ids.items() if f"{hook} {task_id}" not in told]
    if silent:
        return failed(
            "silent", f"{', '.join(silent)} of BaseTask logged nothing that holds the task's id", silent=silent
        )
    return passed("success, failure and retry were logged with the id of the task")


def killed_half_way(session: Session) -> Finding:
    """Kill the process in the middle of sending, send the same production again, and count what was written."""
    items = _killed(session)
    if isinstance(items, Finding):
        return items
    again = session.send("tasks.produce_data", [QUEUE, items])
    if session.events.final(again, session.left(40)) is None:
        return failed("no-end", "the producer that was run again did not end")
    session.app.control.add_consumer(QUEUE, destination=[session.workers["worker"].node])
    with session.valkey.client(1) as store:

        def written() -> Counter[str]:
            return Counter(json.loads(text)["id"] for text in store.lrange("items", 0, -1))

        # The messages are consumed in their order: when the last item is written, so is all before it.
        session.in_time(lambda: all(written()[item["id"]] for item in items), 40, every_seconds=0.2)
        times = [written()[item["id"]] for item in items]
    missing, twice = times.count(0), sum(count > 1 for count in times)
    seen = {"items": len(items), "missing": missing, "twice": twice}
    if missing:
        return failed("lost", f"{missing} of {len(items)} items were never written", **seen)
    if twice:
        return failed("twice", f"{twice} of {len(items)} items were written more than once", **seen)
    return passed(f"killed half-way and run again: each of {len(items)} items was written once", **seen)


def pipeline(session: Session) -> Finding:
    """A source of the check's own, which is away for the first two questions."""
    # Hundreds of items may wait before it, where the check before sent them.
    session.valkey.purge()
    draw = session.random.randrange
    rows = [{"sku": f"sku-{number}", "quantity": draw(1, 9), "price": draw(100, 999)} for number in range(draw(4, 9))]
    source, destination = f"source-{draw(16**4):04x}", f"destination-{draw(16**4):04x}"
    with session.valkey.client(1) as store:
        store.set(f"rows:{source}", json.dumps(rows))
        store.set(f"away:{source}", 2)
        end = called(session, "tasks:create_pipeline", [source, destination])
        if not end.ended or end.error:
            return failed("call", f"tasks:create_pipeline {end.why}")
        if not isinstance(end.value, dict) or "id" not in end.value:
            return failed("no-id", f"tasks:create_pipeline returned {str(end.value)[:100]}, not a result")
        last = session.results.final(end.value["id"], session.left(20))
        loaded = [json.loads(text) for text in store.lrange(f"loaded:{destination}", 0, -1)]
    if last is None:
        return failed("no-end", "the last task of the pipeline has no result after 20 s")
    if last.what["status"] != "SUCCESS":
        return failed("failed", f"the pipeline failed: {str(last.what['result'])[:200]}")
    if loaded != [{**row, "total": row["quantity"] * row["price"]} for row in rows]:
        return failed("wrong-rows", f"the destination has {str(loaded)[:200]}", source=rows)
    if last.what["result"] != {"destination": destination, "loaded": len(rows)}:
        return failed("wrong-value", f"the result is {str(last.what['result'])[:200]}, with {len(rows)} rows loaded")
    return passed(f"{len(rows)} rows came from a source that was away twice, and the result says so")


def unknown_source(session: Session) -> Finding:
    """A source that there is not must be asked for once, and be a failure."""
    task_id = session.send("tasks.extract_data", ["nowhere"])

    def retried() -> bool:
        return any(seen.what["status"] == "RETRY" for seen in session.results.of(task_id))

    session.in_time(lambda: retried() or session.results.final(task_id, 0) is not None, session.left(FAILURE_SECONDS))
    end = session.results.final(task_id, 0)
    with session.valkey.client(1) as store:
        asked = int(store.get("asked:nowhere") or 0)
    if retried():
        # However long it takes until it is asked again.
        return failed(
            "asked-again", f"a source that there is not is to be asked again, {asked} times so far", asked=asked
        )
    if end is None:
        return failed(
            "no-end", f"no failure within {FAILURE_SECONDS} s; the source was asked {asked} times", asked=asked
        )
    if end.what["status"] != "FAILURE" or not asked:
        return failed("no-failure", f"the task ended as {end.what['status']}, the source was asked {asked} times")
    if asked > 1:
        return failed("asked-again", f"a source that there is not was asked {asked} times", asked=asked)
    return passed("it failed, and the source was asked once")


def _killed(session: Session) -> list[dict[str, Any]] | Finding:
    """Items of which some were sent when their producer was killed. Raises Unable when it was too fast each time."""
    with session.valkey.client() as broker:
        for turn in range(ROUNDS):
            items = [
                {"id": f"{turn}-{number}-{session.random.randrange(16**6):06x}", "value": number}
                for number in range(ITEMS)
            ]
            task_id = session.send("tasks.produce_data", [QUEUE, items])

            def begun(task_id: str = task_id) -> bool:
                return broker.llen(QUEUE) >= HALF_WAY or session.events.final(task_id, 0) is not None

            session.in_time(begun, 20, every_seconds=0.002)
            kill_pool(session.workers["worker"])
            sent = broker.llen(QUEUE)
            if not sent:
                return failed("nothing-sent", f"the producer sent nothing to the queue {QUEUE}")
            if sent < ITEMS:
                return items
            broker.delete(QUEUE)
    measuring.tell()
    raise Unable(f"the producer sent {ITEMS} items before it could be killed, {ROUNDS} times")
