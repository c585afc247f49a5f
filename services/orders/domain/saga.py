"""The order saga: what is known of an order, what an event adds to it, and what must run next. Pure; nothing here does anything.

A saga is a set of facts (is stock held? was money taken? …), at most one open step, and the wish to stop, if there is one. `plan` reads
the next step off the facts alone; so a step lost on the way is found again by asking once more, and a repeated outcome finds its fact
already there. Going back is the same function with `stop` set: undo the latest effect first (Garcia-Molina and Salem, Sagas, 1987).

Races have one answer each:
  cancel × charge in flight     the charge's outcome is awaited, then refunded; an unknown one is asked about first
  expiry × late success         money that came wins: goods are held until the charge's outcome is known, so the order goes on
  cancel × hand-over            the carrier decides: a parcel it has cannot be voided, the order goes on, and its customer is told
  delivery before hand-over     remembered; the order is delivered once the hand-over is recorded
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from orders.domain.errors import OutOfPlace


class State(StrEnum):
    """Where the customer sees the order."""

    PENDING = "pending"
    PROCESSING = "processing"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Nothing can follow."""
        return self in (State.DELIVERED, State.CANCELLED, State.FAILED)


class Step(StrEnum):
    """A piece of work on the order's main line; one at a time."""

    RESERVE_STOCK = "reserve_stock"
    TAKE_PAYMENT = "take_payment"
    ASK_PAYMENT = "ask_payment"
    BUY_LABEL = "buy_label"
    HAND_OVER = "hand_over"
    VOID_LABEL = "void_label"
    REFUND_PAYMENT = "refund_payment"
    RELEASE_STOCK = "release_stock"

    @property
    def compensation(self) -> bool:
        """It undoes an effect."""
        return self in (Step.VOID_LABEL, Step.REFUND_PAYMENT, Step.RELEASE_STOCK)


class MailKind(StrEnum):
    """A mail that a change of state, or a cancellation that came too late, owes the customer, once."""

    CONFIRMATION = "confirmation"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    FAILED = "failed"
    # A cancellation was taken, and came too late.
    CANCEL_REFUSED = "cancel_refused"


class Stock(StrEnum):
    """What happened to the goods."""

    NONE = "none"
    HELD = "held"
    SHIPPED = "shipped"
    RELEASED = "released"


class Payment(StrEnum):
    """What happened to the money.

    `doubtful`: a charge was tried and nobody knows yet. `unseen`: the provider had not seen it when asked, but it may still arrive.
    """

    NONE = "none"
    DOUBTFUL = "doubtful"
    UNSEEN = "unseen"
    CAPTURED = "captured"
    DECLINED = "declined"
    REFUNDED = "refunded"
    BARRED = "barred"


class Parcel(StrEnum):
    """What happened to the parcel."""

    NONE = "none"
    LABELLED = "labelled"
    HANDED_OVER = "handed_over"
    VOIDED = "voided"


class Result(StrEnum):
    """How a step ended."""

    DONE = "done"
    # The other side said no, for good: declined, out of stock, the carrier already has the parcel.
    REFUSED = "refused"
    # Asked by key, the provider never saw it.
    ABSENT = "absent"
    # Nobody can tell; to be asked.
    UNKNOWN = "unknown"
    # Not begun, because the saga wants to stop.
    SKIPPED = "skipped"


class Stop(StrEnum):
    """Why an order turns back."""

    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUSED = "refused"

    @property
    def ends_as(self) -> State:
        """The final state it leads to."""
        return State.CANCELLED if self is Stop.CANCELLED else State.FAILED


@dataclass(frozen=True, slots=True)
class Saga:
    """What is known of one order. `delivered` may be told before the hand-over is recorded."""

    state: State = State.PENDING
    stock: Stock = Stock.NONE
    payment: Payment = Payment.NONE
    parcel: Parcel = Parcel.NONE
    delivered: bool = False
    open: Step | None = None
    stop: Stop | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """The saga after an event, the step to issue (if any) and the mails now owed."""

    saga: Saga
    step: Step | None
    mails: tuple[MailKind, ...]


def begin() -> Advance:
    """A new order: pending, its first step to be issued."""
    return _settle(Saga(), Saga())


def concluded(saga: Saga, step: Step, result: Result, reason: str | None = None) -> Advance | None:
    """The open step ended. None when `step` is not the open one (a repeat of an outcome already known).

    Raises OutOfPlace for a result the step cannot have.
    """
    if saga.open is not step:
        return None
    key = (step, result)
    if result is Result.SKIPPED:
        if saga.stop is None:
            raise OutOfPlace(f"{step} was skipped although nothing asked the order to stop")
        return _settle(saga, replace(saga, open=None))
    if key not in _FACTS:
        raise OutOfPlace(f"{step} cannot end as {result}")
    after = replace(_FACTS[key](saga), open=None)
    if result is Result.REFUSED and not step.compensation and after.stop is None:
        after = replace(after, stop=Stop.REFUSED, reason=reason)
    return _settle(saga, after)


def cancel(saga: Saga, reason: str | None = None) -> Advance | None:
    """The customer wants out. None when it is too late or already so; an expiring order becomes a cancelled one."""
    if (
        saga.state.final
        or saga.parcel is Parcel.HANDED_OVER
        or saga.delivered
        or saga.stop in (Stop.CANCELLED, Stop.REFUSED)
    ):
        return None
    return _settle(saga, replace(saga, stop=Stop.CANCELLED, reason=reason))


def expire(saga: Saga) -> Advance | None:
    """The reservation ran out. None when money is in or the order already turned back."""
    if saga.state.final or saga.stop is not None or saga.payment is Payment.CAPTURED:
        return None
    return _settle(saga, replace(saga, stop=Stop.EXPIRED, reason="the reservation ran out before it was paid"))


def deliver(saga: Saga) -> Advance | None:
    """The carrier says it is delivered. None when that is known already, or when no parcel can be meant."""
    if saga.delivered or saga.parcel not in (Parcel.LABELLED, Parcel.HANDED_OVER):
        return None
    return _settle(saga, replace(saga, delivered=True))


def learned(before: Saga, after: Saga) -> Advance:
    """Facts came from elsewhere than a step: what follows from them. An open step stays open, and finds its fact there."""
    return _settle(before, after)


def plan(saga: Saga) -> Step | None:
    """The step the facts ask for; None while one is open, while the carrier has the parcel, and at the end."""
    if saga.open is not None or saga.state.final:
        return None
    if saga.payment is Payment.DOUBTFUL:
        return Step.ASK_PAYMENT
    return _forward(saga) if saga.stop is None else _backward(saga)


def _forward(saga: Saga) -> Step | None:
    if saga.stock is Stock.NONE:
        return Step.RESERVE_STOCK
    if saga.payment in (Payment.NONE, Payment.UNSEEN):
        return Step.TAKE_PAYMENT
    if saga.parcel is Parcel.NONE:
        return Step.BUY_LABEL
    if saga.parcel is Parcel.LABELLED:
        return Step.HAND_OVER
    return None


def _backward(saga: Saga) -> Step | None:
    if saga.parcel is Parcel.LABELLED:
        return Step.VOID_LABEL
    if saga.payment in (Payment.CAPTURED, Payment.UNSEEN):
        return Step.REFUND_PAYMENT
    if saga.stock is Stock.HELD:
        return Step.RELEASE_STOCK
    return None


def _handed_over(saga: Saga) -> Saga:
    # The carrier has it: whoever wanted to stop came too late, also while the hand-over was in flight.
    return replace(saga, parcel=Parcel.HANDED_OVER, stock=Stock.SHIPPED, stop=None, reason=None)


_FACTS: dict[tuple[Step, Result], Callable[[Saga], Saga]] = {
    (Step.RESERVE_STOCK, Result.DONE): lambda s: replace(s, stock=Stock.HELD),
    (Step.RESERVE_STOCK, Result.REFUSED): lambda s: s,
    (Step.TAKE_PAYMENT, Result.DONE): lambda s: replace(s, payment=Payment.CAPTURED),
    (Step.TAKE_PAYMENT, Result.REFUSED): lambda s: replace(s, payment=Payment.DECLINED),
    (Step.TAKE_PAYMENT, Result.UNKNOWN): lambda s: replace(s, payment=Payment.DOUBTFUL),
    (Step.ASK_PAYMENT, Result.DONE): lambda s: replace(s, payment=Payment.CAPTURED),
    (Step.ASK_PAYMENT, Result.REFUSED): lambda s: replace(s, payment=Payment.DECLINED),
    # A charge that was never seen may still be on its way: going forward its key is used again, going back it is barred.
    (Step.ASK_PAYMENT, Result.ABSENT): lambda s: replace(s, payment=Payment.UNSEEN),
    (Step.BUY_LABEL, Result.DONE): lambda s: replace(s, parcel=Parcel.LABELLED),
    (Step.BUY_LABEL, Result.REFUSED): lambda s: s,
    (Step.HAND_OVER, Result.DONE): _handed_over,
    (Step.VOID_LABEL, Result.DONE): lambda s: replace(s, parcel=Parcel.VOIDED),
    (Step.VOID_LABEL, Result.REFUSED): _handed_over,
    (Step.REFUND_PAYMENT, Result.DONE): lambda s: replace(s, payment=Payment.REFUNDED),
    (Step.REFUND_PAYMENT, Result.REFUSED): lambda s: replace(s, payment=Payment.BARRED),
    (Step.RELEASE_STOCK, Result.DONE): lambda s: replace(s, stock=Stock.RELEASED),
}

_OWED = {
    State.PAID: MailKind.CONFIRMATION,
    State.SHIPPED: MailKind.SHIPPED,
    State.DELIVERED: MailKind.DELIVERED,
    State.CANCELLED: MailKind.CANCELLED,
    State.FAILED: MailKind.FAILED,
}
_LINE = (State.PENDING, State.PROCESSING, State.PAID, State.SHIPPED, State.DELIVERED)


def _settle(before: Saga, after: Saga) -> Advance:
    if after.stop is Stop.EXPIRED and after.payment is Payment.CAPTURED:
        after = replace(after, stop=None, reason=None)
    step = plan(after)
    state = _state(after, step)
    mails = tuple(_OWED[s] for s in _passed(before.state, state) if s in _OWED)
    if before.stop is Stop.CANCELLED and after.stop is None:
        mails = (MailKind.CANCEL_REFUSED, *mails)
    return Advance(replace(after, state=state, open=after.open or step), step, mails)


def _state(saga: Saga, step: Step | None) -> State:
    if saga.parcel is Parcel.HANDED_OVER:
        return State.DELIVERED if saga.delivered else State.SHIPPED
    if saga.stop is not None:
        return saga.stop.ends_as if saga.open is None and step is None else saga.state
    if saga.payment is Payment.CAPTURED:
        return State.PAID
    if saga.stock is Stock.HELD:
        return State.PROCESSING
    return State.PENDING


def _passed(before: State, after: State) -> tuple[State, ...]:
    """Every state newly reached, in order; two at once when a delivery was told before its hand-over. Nothing follows a final one."""
    if after in _LINE:
        return _LINE[_LINE.index(before) + 1 : _LINE.index(after) + 1]
    return (after,)
