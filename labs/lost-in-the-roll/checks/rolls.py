"""Workers that are replaced while they charge cards: told to stop, and killed at once."""

import signal
from collections import Counter

from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.remote_control import carry_out
from grader.session import Session, failed, passed

ORDERS = 2
CHARGE_SECONDS = 6.0
MOST_GRACE_SECONDS = 30
HOME = {"street": "Rua do Sol 7", "city": "Porto", "postcode": "4000-001", "country": "PT"}

GRACE = "import deploy\nprint(float(deploy.GRACE_SECONDS))"


def not_killed(session: Session) -> Finding:
    """Tell a worker that charges to stop, and wait as long as the deployment says."""
    # Asked before the charges begin: what a slow machine takes for it would leave less of them.
    said = session.python(GRACE)
    if said.status != 0:
        return failed("no-grace", "deploy.GRACE_SECONDS is no number of seconds")
    grace = min(MOST_GRACE_SECONDS, float(said.output.split()[-1]))
    found = _charging(session, "first")
    if not found.passed:
        return found
    old = session.workers["first"].running
    old.signal(signal.SIGTERM)
    if grace > CHARGE_SECONDS:
        session.in_time(lambda: old.poll() is not None, grace, every_seconds=0.1)
    else:
        # Shorter than what runs: no machine is fast enough.
        old.wait(session.left(grace))
    ended = old.poll()
    old.end()
    if ended is None:
        return failed(
            "killed", f"{grace:g} s after SIGTERM the worker still had tasks to do, and was killed", grace=grace
        )
    return passed(f"the worker ended its tasks within {grace:g} s, and then itself", grace=grace)


def none_lost(session: Session) -> Finding:
    """Kill a worker that charges, start one more, and wait for every order of both rolls."""
    found = _charging(session, "second")
    if not found.passed:
        return found
    session.workers["second"].running.end()
    found = worker.run(worker.Parameters(app="shop.app", name="third", broker="rabbitmq"), session)
    if not found.passed:
        return found
    names = session.kept["orders"]

    def shipped() -> set[str]:
        with session.valkey.client(2) as store:
            return {name for name in names if store.hget(f"order:{name}", "state") == "shipped"}

    session.in_time(lambda: shipped() == set(names), 40, every_seconds=0.3)
    lost = len(set(names) - shipped())
    charged = len({entry["order_id"] for entry in session.payments.ledger("capture")})
    seen = {"orders": len(names), "lost": lost, "charged": charged}
    if lost:
        return failed(
            "lost", f"two rolls, and {lost} of {len(names)} orders were charged or begun and never shipped", **seen
        )
    return passed(f"two rolls, and all {len(names)} orders were shipped", **seen)


def none_twice(session: Session) -> Finding:
    """Count what the provider took for each order; the tasks that were killed began again, as the check before saw."""
    charges = Counter(entry["order_id"] for entry in session.payments.ledger("capture"))
    twice = sum(count > 1 for count in charges.values())
    if twice:
        return failed(
            "twice", f"{twice} of {len(charges)} orders were charged more than once", charges=sorted(charges.values())
        )
    return passed(f"{len(charges)} orders were charged once each")


def _charging(session: Session, name: str) -> Finding:
    """Start a worker, place orders, and return when it is in the middle of their charges."""
    session.rabbitmq_events  # noqa: B018 it listens from now on
    session.payments.faults({"slow": 1.0}, slow_seconds=CHARGE_SECONDS, expires_in_seconds=600.0)
    found = worker.run(worker.Parameters(app="shop.app", name=name, broker="rabbitmq", alone=True), session)
    if not found.passed:
        return found
    before = len(_begun(session))
    placed = [f"order-{session.random.randrange(16**6):06x}" for _ in range(ORDERS)]
    for order in placed:
        end = called(session, "shop.flow:place", [order, 1200, HOME])
        if not end.ended or end.error:
            return failed("not-placed", f"shop.flow:place {end.why}")
    session.kept["orders"] = [*session.kept.get("orders", []), *placed]
    if not session.in_time(lambda: len(_begun(session)) >= before + ORDERS, 15, every_seconds=0.05):
        return failed("not-begun", f"{ORDERS} orders were placed, and their charges were not begun within 15 s")
    carry_out(session.rabbitmq_app, session.workers[name], "ping")
    return passed("charging")


def _begun(session: Session) -> list[str]:
    """The charges that a worker began so far."""
    events = [seen.what for seen in session.rabbitmq_events.all()]
    charges = {
        event["uuid"] for event in events if event["type"] == "task-received" and "take_payment" in event["name"]
    }
    return [event["uuid"] for event in events if event["type"] == "task-started" and event["uuid"] in charges]
