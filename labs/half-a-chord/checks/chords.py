"""Orders of which some have an address that the carrier refuses, and what became of money, goods and orders."""

from collections import Counter

from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

GOOD, BAD = 4, 4
STOCK = 100
HOME = {"street": "Rua do Sol 7", "city": "Porto", "postcode": "4000-001", "country": "PT"}
NOWHERE = {"street": "?"}
FINAL = ("shipped", "cancelled")


def every_order_ends(session: Session) -> Finding:
    """Place them in turn, and wait until each is shipped or cancelled."""
    found = worker.run(worker.Parameters(app="shop.app", concurrency=2), session)
    if not found.passed:
        return found
    with session.valkey.client(2) as store:
        store.set("stock", STOCK)
    names = [f"order-{session.random.randrange(16**6):06x}-{number}" for number in range(GOOD + BAD)]
    session.kept["bad"] = names[1::2]
    for name in names:
        end = called(session, "shop.flow:place", [name, 1200, NOWHERE if name in names[1::2] else HOME])
        if not end.ended or end.error:
            return failed("not-placed", f"shop.flow:place {end.why}")
    session.kept["orders"] = names
    # What happened is asked of payment provider and carrier: an order may say that it has ended before anybody was asked.
    asked = session.in_time(lambda: len(session.payments.ledger("capture")) >= GOOD, 20, every_seconds=0.2)
    session.in_time(lambda: all(state in FINAL for state in _states(session).values()), 15, every_seconds=0.2)
    states = _states(session)
    seen = {"states": dict(Counter(states.values()))}
    if not asked or any(states[name] != "shipped" for name in names[::2]):
        return failed(
            "not-shipped", f"orders with a good address were not charged and shipped: {seen['states']}", **seen
        )
    hanging = [name for name, state in states.items() if state not in FINAL]
    if hanging:
        return failed(
            "hangs", f"{len(hanging)} of {BAD} orders whose label failed are {states[hanging[0]]} for ever", **seen
        )
    return passed(f"{GOOD} orders were shipped; {BAD} whose label failed have ended", **seen)


def undone(session: Session) -> Finding:
    """Compare the ledgers with the orders: money and goods of the bad ones must be back, those of the good ones must not."""
    names, bad = session.kept.get("orders"), session.kept.get("bad", [])
    if names is None:
        return failed("no-orders", "no orders could be placed")
    charged = {entry["order_id"] for entry in session.payments.ledger("capture")}
    if not charged & set(bad):
        return failed("not-charged", "no order whose label failed was charged, so that nothing had to be undone")

    def back() -> set[str]:
        return {entry["order_id"] for entry in session.payments.ledger("refund")}

    session.in_time(lambda: back() >= charged & set(bad), 8, every_seconds=0.2)
    kept, given = charged & set(bad) - back(), back() - set(bad)
    with session.valkey.client(2) as store:
        stock = int(store.get("stock") or 0)
    seen = {"charged": len(charged), "refunded": len(back()), "stock": stock}
    if kept:
        return failed("money-kept", f"{len(kept)} orders without a parcel were charged, and the money was kept", **seen)
    if given:
        return failed("money-given", f"{len(given)} orders were shipped, and their money was given back", **seen)
    if stock != STOCK - GOOD:
        return failed("stock", f"{GOOD} pieces left the house, and the stock fell from {STOCK} to {stock}", **seen)
    return passed(f"{len(charged & set(bad))} charges were given back, and the stock is right", **seen)


def _states(session: Session) -> dict[str, str]:
    with session.valkey.client(2) as store:
        return {name: store.hget(f"order:{name}", "state") or "unknown" for name in session.kept["orders"]}
