"""Orders of which some cannot be shipped, among faults of both servers, messages that come twice, and processes that die."""

from collections import Counter

from conductor.waiting import until
from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.errors import Unable
from grader.killing import kill_pool
from grader.session import Session, failed, passed

ORDERS, PIECES, BAD = 30, 24, 6
KILLS = 3
ENDED_SECONDS = 60
HOME = {"street": "Rua do Sol 7", "city": "Porto", "postcode": "4000-001", "country": "PT"}
NOWHERE = {"street": "?"}
FINAL = ("shipped", "cancelled")

PLACE = '''"""Written by the check: many orders by one process."""

from shop import flow


def all_of(orders):
    for order in orders:
        flow.place(*order)
'''


def final(session: Session) -> Finding:
    """Place the orders, kill the worker's processes three times in the middle, have some messages come twice, and wait."""
    found = worker.run(worker.Parameters(app="shop.app", concurrency=3), session)
    if not found.passed:
        return found
    session.place("placing.py", PLACE)
    names = [f"order-{session.random.randrange(16**6):06x}-{number}" for number in range(ORDERS)]
    bad = set(session.random.sample(names, BAD))
    session.kept["orders"], session.kept["bad"] = names, bad
    with session.valkey.client(2) as store:
        store.set("stock", PIECES)
    session.payments.faults(
        {"server_error": 0.15, "server_error_after": 0.15, "slow": 0.3},
        slow_seconds=0.5,
        seed=session.seed + 1,
        expires_in_seconds=600.0,
    )
    session.carrier.faults(
        {"server_error": 0.2, "slow": 0.2}, slow_seconds=0.3, seed=session.seed + 2, expires_in_seconds=600.0
    )
    orders = [[name, 1200, NOWHERE if name in bad else HOME] for name in names]
    end = called(session, "placing:all_of", [orders], seconds=40)
    if not end.ended or end.error:
        return failed("call", f"shop.flow:place {end.why}")
    killed = _killed(session)
    for name in session.random.sample(names, 4):
        session.send("shop.tasks.take_payment", [name])
    until(
        lambda: all(state in FINAL for state in _states(session).values()),
        within_seconds=session.left(ENDED_SECONDS),
        every_seconds=0.3,
    )
    session.payments.sound()
    session.carrier.sound()
    states = Counter(_states(session).values())
    seen = {"states": dict(states), "killed_in_a_task": killed}
    hanging = sum(count for state, count in states.items() if state not in FINAL)
    if hanging:
        return failed("hangs", f"{hanging} of {ORDERS} orders have not ended: {dict(states)}", **seen)
    if killed < KILLS:
        raise Unable(f"of {KILLS} kills only {killed} hit a process that worked")
    could = min(ORDERS - BAD, PIECES - BAD)
    if states["shipped"] < could:
        return failed("given-up", f"{could} orders could be shipped at least, and {states['shipped']} were", **seen)
    return passed(f"{ORDERS} orders have ended: {dict(states)}, with {killed} processes killed in the middle", **seen)


def charged_once(session: Session) -> Finding:
    """By the ledger of the provider."""
    charges = Counter(entry["order_id"] for entry in session.payments.ledger("capture"))
    twice = sum(count > 1 for count in charges.values())
    if twice:
        return failed("twice", f"{twice} of {len(charges)} orders were charged more than once", twice=twice)
    return passed(f"{len(charges)} orders were charged once each")


def refunded(session: Session) -> Finding:
    """By the ledger of the provider, order by order."""
    charged = {entry["order_id"] for entry in session.payments.ledger("capture")}

    def back() -> set[str]:
        return {entry["order_id"] for entry in session.payments.ledger("refund")}

    states = _states(session)
    cancelled = {name for name, state in states.items() if state == "cancelled"}
    until(lambda: back() >= charged & cancelled, within_seconds=session.left(8), every_seconds=0.2)
    kept, given = charged & cancelled - back(), back() - cancelled
    unpaid = set(states) - cancelled - charged
    seen = {"charged": len(charged), "cancelled": len(cancelled), "refunded": len(back())}
    if kept:
        return failed("kept", f"{len(kept)} cancelled orders were charged, and their money was kept", **seen)
    if given or unpaid:
        return failed(
            "given", f"{len(given)} shipped orders got their money back, {len(unpaid)} were never charged", **seen
        )
    return passed(f"{len(charged & cancelled)} cancelled orders had been charged, and have their money back", **seen)


def stock(session: Session) -> Finding:
    """Count the pieces."""
    shipped = sum(state == "shipped" for state in _states(session).values())
    with session.valkey.client(2) as store:
        left = int(store.get("stock") or 0)
    if left != PIECES - shipped:
        return failed(
            "stock", f"of {PIECES} pieces {shipped} were shipped, and {left} are left", left=left, shipped=shipped
        )
    return passed(f"of {PIECES} pieces {shipped} were shipped, and {left} are left")


def _killed(session: Session) -> int:
    """Kill the pool a few times, each time while at least one task runs; how often that was so."""
    since = 0
    for killed in range(KILLS):
        if not until(
            lambda since=since: bool(_running(session, since)), within_seconds=session.left(15), every_seconds=0.02
        ):
            return killed
        kill_pool(session.workers["worker"])
        # Of those that died nobody says that they ended: from now on only tasks count that begin later.
        since = len(session.events.all())
    return KILLS


def _running(session: Session, since: int) -> set[str]:
    """Tasks that began after so many events and have not ended, as far as their worker said so."""
    running: set[str] = set()
    for seen in session.events.all()[since:]:
        if seen.what["type"] == "task-started":
            running.add(seen.what["uuid"])
        elif seen.what["type"] in ("task-succeeded", "task-failed", "task-retried", "task-rejected"):
            running.discard(seen.what["uuid"])
    return running


def _states(session: Session) -> dict[str, str]:
    with session.valkey.client(2) as store:
        return {name: store.hget(f"order:{name}", "state") or "unknown" for name in session.kept["orders"]}
