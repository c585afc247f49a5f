"""What is to be done about an order of which the outside knows more than we do, as after a restore to an earlier time. Pure.

Facts that the saga lacks are learned, and the saga goes on by itself: forwards it repeats its steps with the same keys, backwards it undoes
what it now knows of. What was done for an order that nobody knows any more is undone; what cannot be undone needs a person.
Learning what is known already changes nothing, so a reconciliation may be repeated at will, and while orders are worked on.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from orders.domain.order import Order
from orders.domain.saga import Advance, Parcel, Payment, Saga, State, Stop, learned

UNDONE = "it was being undone before the database was restored"


@dataclass(frozen=True, slots=True)
class Seen:
    """What provider and carrier have on record of one order. A parcel that was handed over and is not `delivered` is under way."""

    payment: Payment = Payment.NONE
    amount_minor: int | None = None
    currency: str | None = None
    payment_key: str | None = None
    parcel: Parcel = Parcel.NONE
    tracking_number: str | None = None
    delivered: bool = False

    @property
    def held(self) -> tuple[str, ...]:
        """What the order still has out there, in words."""
        money = (f"{self.amount_minor} {self.currency} charged",) if self.payment is Payment.CAPTURED else ()
        parcels = {Parcel.LABELLED: "a label", Parcel.HANDED_OVER: "a parcel under way"}
        parcel = "a delivered parcel" if self.delivered else parcels.get(self.parcel)
        return (*money, f"{parcel} {self.tracking_number}") if parcel else money


@dataclass(frozen=True, slots=True)
class Listed:
    """An order of the recovery list, whose saga says nothing; `cancelled` when it was asked to stop, for this reason.

    `mails` are the kinds and ids of those that were sent.
    """

    order: Order
    scope: str
    key: str
    digest: str
    cancelled: bool
    reason: str | None
    mails: tuple[tuple[str, str], ...] = ()


class Remedy(StrEnum):
    """What is to be done about a difference."""

    LEARN = "learn"
    UNDO = "undo"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Difference:
    """One order, what is to be done about it, and why; `advance` is what learning leads to."""

    order_id: str
    remedy: Remedy
    why: str
    seen: Seen
    advance: Advance | None = None


def compare(order_id: str, order: Order | None, seen: Seen) -> Difference | None:
    """The difference between the outside's records of an order and ours; None when there is nothing to be done."""
    if order is None:
        return _left_over(order_id, "no such order", seen)
    if order.saga.state in (State.CANCELLED, State.FAILED):
        return _left_over(order_id, f"the order is {order.saga.state}", seen)
    if seen.payment is Payment.CAPTURED and (seen.amount_minor, seen.currency) != (order.total_minor, order.currency):
        why = f"{seen.amount_minor} {seen.currency} charged, the order's total is {order.total_minor} {order.currency}"
        return Difference(order_id, Remedy.PERSON, why, seen)
    advance = learn(order.saga, seen)
    if advance is None:
        return None
    return Difference(order_id, Remedy.LEARN, _news(order.saga, advance.saga), seen, advance)


def learn(saga: Saga, seen: Seen) -> Advance | None:
    """The saga with the facts that it lacked; None when there are none. What it knows already is never changed, but for a refund."""
    if saga.state.final:
        return None
    after = saga
    unanswered = saga.payment in (Payment.NONE, Payment.DOUBTFUL, Payment.UNSEEN)
    if seen.payment is not Payment.NONE and (
        unanswered or (saga.payment is Payment.CAPTURED and seen.payment is Payment.REFUNDED)
    ):
        after = replace(after, payment=seen.payment)
    if saga.parcel is Parcel.NONE and seen.parcel in (Parcel.LABELLED, Parcel.HANDED_OVER):
        # The hand-over is asked for again, which changes nothing at the carrier: it is what takes the goods out of the stock.
        after = replace(after, parcel=Parcel.LABELLED)
    if saga.parcel in (Parcel.NONE, Parcel.LABELLED) and seen.parcel is Parcel.VOIDED:
        after = replace(after, parcel=Parcel.VOIDED)
    if seen.delivered and after.parcel in (Parcel.LABELLED, Parcel.HANDED_OVER):
        after = replace(after, delivered=True)
    undone = after.payment in (Payment.REFUNDED, Payment.BARRED) or after.parcel is Parcel.VOIDED
    if after.stop is None and undone and after.parcel is not Parcel.HANDED_OVER:
        after = replace(after, stop=Stop.CANCELLED, reason=UNDONE)
    if after.stop is None and after.payment is Payment.DECLINED:
        after = replace(after, stop=Stop.REFUSED, reason="payment declined")
    return None if after == saga else learned(saga, after)


def _left_over(order_id: str, why: str, seen: Seen) -> Difference | None:
    held = ", ".join(seen.held)
    if seen.parcel is Parcel.HANDED_OVER:
        # A parcel cannot be called back: whether its money is kept or given back is nothing to be guessed.
        return Difference(order_id, Remedy.PERSON, f"{why}; {held}", seen) if seen.payment is Payment.CAPTURED else None
    return Difference(order_id, Remedy.UNDO, f"{why}; {held}", seen) if held else None


def _news(before: Saga, after: Saga) -> str:
    facts = ("payment", "parcel", "delivered", "stop")
    news = {name: getattr(after, name) for name in facts if getattr(after, name) != getattr(before, name)}
    return ", ".join(f"{name} {value}" for name, value in news.items())
