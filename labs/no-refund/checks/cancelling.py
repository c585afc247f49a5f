"""Cancels orders that are paid and have no parcel yet, and reads from the provider's ledger who has the money."""

from conductor.capstones.orders.api_client import OrdersApi
from conductor.errors import ApiRefused, ConductorError
from conductor.harness import dependency_faults
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession
from grader import systems
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

POOLS = ("saga", "payments", "fulfilment", "notifications", "api")
CANCELLED = 10
HELD = {"rate": {"slow": 1.0}, "slow_seconds": 5.0}
"""What keeps a paid order from having a label for a while."""

NAME = "cancel-paid"


def none_kept(session: Session) -> Finding:
    """Nobody whose order was cancelled after it was paid has lost the money."""
    if (finding := systems.rolled(session, "orders", POOLS)) is not None:
        return finding
    refused: list[str] = []
    played = systems.played(
        session, Drill(NAME, "cancels orders that are paid", on_laptop=lambda one: _cancel(one, refused))
    )
    if refused:
        return failed("refused", f"an order that was paid and had no parcel could not be cancelled: {refused[0]}")
    kept = [one for one in played.findings if " was kept" in one.why]
    told = {} if played.verdict is None else dict(played.verdict.as_json())
    if kept:
        return failed("kept", f"{len(kept)} orders: {kept[0].why}", **told, orders=[one.subject for one in kept[:5]])
    if played.failure is not None:
        return failed("not-ended", f"the drill came to no end: {played.failure}", **told)
    return passed(f"{CANCELLED} orders were cancelled after they were paid, and nothing of it was kept", **told)


def others_untouched(session: Session) -> Finding:
    """Nothing else was lost or done twice."""
    played = session.kept["played"][NAME]
    if played.findings:
        first = played.findings[0]
        return failed(first.fault, f"{len(played.findings)} findings: {first.why}", order=first.subject)
    return passed(f"{played.verdict.completed} orders came to their end, each as it should")


def _cancel(session: LaptopSession, refused: list[str]) -> None:
    with session.load(), dependency_faults.faults(session.access, "carrier", HELD), OrdersApi.of(session.access) as api:
        orders = [session.submit(f"paid-{number}") for number in range(CANCELLED)]
        for order in orders:
            session.wait_for(lambda one=order: api.show(one)["state"] == "paid", f"the order {order} to be paid")
            try:
                api.cancel(order)
            except ApiRefused as error:
                refused.append(str(error))
                raise ConductorError(f"{order} cannot be cancelled: {error}") from error
    session.settle()
