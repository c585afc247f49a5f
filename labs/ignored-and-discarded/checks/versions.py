"""A message of version 2 for a worker of version 1, and a worker of version 2 that comes later."""

import json

from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

TASK = "shop.gifts.wrap"
KEPT = "unknown"

VERSION_2 = '''"""Written by the check: what version 2 can do."""

import json

import redis

from shop.app import app

wrapped = redis.Redis.from_url("redis://localhost:6379/9", decode_responses=True)


@app.task
def wrap(order_id, paper):
    """Wrap an order as a gift."""
    wrapped.rpush("wrapped", json.dumps([order_id, paper]))
'''


def kept(session: Session) -> Finding:
    """Send tasks that this version does not have; what is kept must tell all of each of them."""
    found = worker.run(worker.Parameters(app="shop.app", name="version-1", concurrency=1), session)
    if not found.passed:
        return found
    gifts = [(f"order-{session.random.randrange(16**6):06x}", f"paper-{number}") for number in range(3)]
    session.kept["gifts"] = gifts
    with session.valkey.client(2) as store:
        for order, paper in gifts:
            session.send(TASK, [order], {"paper": paper})
        # A task that it knows, behind them: when that one has ended, the others were looked at.
        store.hset("order:known", mapping={"state": "new", "amount": 1, "address": "{}"})
        known = session.send("shop.tasks.ship", ["known"])
        if session.events.final(known, session.left(20)) is None:
            return failed("no-end", "behind three messages of unknown tasks, a known one was not carried out")
        session.in_time(lambda: store.llen(KEPT) >= len(gifts), 5, every_seconds=0.1)
        entries = store.lrange(KEPT, 0, -1)
    whole = [entry for entry in map(_read, entries) if entry is not None]
    missing = [order for order, paper in gifts if [TASK, [order], {"paper": paper}] not in whole]
    if not entries:
        return failed(
            "discarded", f"{len(gifts)} messages of {TASK} came, which this version does not know, and they are gone"
        )
    if missing:
        return failed(
            "not-whole", f"what is kept does not tell {len(missing)} of {len(gifts)} calls: {entries[0][:200]}"
        )
    return passed(f"{len(gifts)} messages of {TASK}, which this version does not know, are kept whole")


def once(session: Session) -> Finding:
    """Start version 2, replay, and count what it did."""
    session.place("shop/gifts.py", VERSION_2)
    newer = worker.Parameters(
        app="shop.app",
        name="version-2",
        concurrency=1,
        alone=True,
        arguments=("--include", "shop.gifts"),
        tasks=("wrap",),
    )
    found = worker.run(newer, session)
    if not found.passed:
        return found
    end = called(session, "shop.unknown:replay")
    if not end.ended or end.error:
        return failed("call", f"shop.unknown:replay {end.why}")
    gifts = session.kept["gifts"]
    with session.valkey.client(9) as store:

        def wrapped() -> list[tuple[str, str]]:
            return [(order, paper) for order, paper in map(json.loads, store.lrange("wrapped", 0, -1))]

        session.in_time(lambda: set(wrapped()) >= set(gifts), 15, every_seconds=0.1)
        again = called(session, "shop.unknown:replay")
        last = session.send("shop.tasks.ship", ["known"])
        session.events.final(last, session.left(10))
        done = wrapped()
    missing = len(set(gifts) - set(done))
    seen = {"gifts": len(gifts), "wrapped": len(done), "replayed_again": again.value}
    if missing:
        return failed(
            "missing", f"version 2 was there and replayed, and {missing} of {len(gifts)} gifts were not wrapped", **seen
        )
    if len(done) > len(gifts):
        return failed(
            "twice", f"{len(gifts)} gifts were asked for, replayed twice, and {len(done)} were wrapped", **seen
        )
    return passed(f"version 2 wrapped each of {len(gifts)} gifts once", **seen)


def _read(entry: str) -> list[object] | None:
    """The task, its arguments and its keyword arguments, of what is kept."""
    try:
        said = json.loads(entry)
    except ValueError:
        return None
    return [said.get("task"), said.get("args"), said.get("kwargs")] if isinstance(said, dict) else None
