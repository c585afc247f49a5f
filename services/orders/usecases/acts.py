"""What each step does to the outside, for one order. An act is idempotent by its key; it raises when it did not end.

An act asks first whether it is still wanted: a saga that wants to stop skips a step that was never begun, and treats one that was begun
by a worker that died, or whose end nobody saw (`begun`), as an unknown outcome.
"""

from chassis import tracing
from chassis.errors import Permanent
from chassis.outbox import Work
from orders.domain.order import Order, pieces
from orders.domain.saga import Result, Step
from orders.ports import Carrier, Charge, ChargeStatus, LabelPrinter, PaymentProvider, UnknownOutcome
from orders.usecases.labels import drawn_along
from orders.usecases.steps import Act, Ended

# Of a packed piece; carriers bill by weight, our catalogue does not know it.
_PIECE_WEIGHT_G = 250


PAYMENT_SUFFIX = ":payment"


def payment_key(order: Order) -> str:
    """The idempotency key of the order's one charge."""
    return order.id + PAYMENT_SUFFIX


def acts(payments: PaymentProvider, carrier: Carrier, printer: LabelPrinter) -> dict[Step, Act]:
    """The acts by step."""
    return {
        Step.TAKE_PAYMENT: _take(payments),
        Step.ASK_PAYMENT: _ask(payments),
        Step.REFUND_PAYMENT: _refund(payments),
        Step.BUY_LABEL: _buy_label(carrier, printer),
        Step.HAND_OVER: _hand_over(carrier),
        Step.VOID_LABEL: _void_label(carrier),
    }


def _paid(charge: Charge) -> Ended:
    if charge.status is ChargeStatus.CAPTURED:
        return Ended(Result.DONE, detail={"charge": charge.charge_id})
    return Ended(Result.REFUSED, f"payment {charge.status}" + (f": {charge.reason}" if charge.reason else ""))


def _take(payments: PaymentProvider) -> Act:
    def act(order: Order, work: Work) -> Ended:
        if order.saga.stop is not None:
            return Ended(Result.UNKNOWN if work.begun else Result.SKIPPED)
        try:
            return _paid(
                payments.charge(
                    payment_key(order),
                    order_id=order.id,
                    amount_minor=order.total_minor,
                    currency=order.currency,
                    card=order.card,
                )
            )
        except UnknownOutcome as error:
            tracing.why(work.span, error)
            return Ended(Result.UNKNOWN, detail={"why": str(error)})

    return act


def _ask(payments: PaymentProvider) -> Act:
    def act(order: Order, work: Work) -> Ended:
        charge = payments.find(payment_key(order))
        return Ended(Result.ABSENT) if charge is None else _paid(charge)

    return act


def _refund(payments: PaymentProvider) -> Act:
    def act(order: Order, work: Work) -> Ended:
        charge = payments.reverse(payment_key(order))
        return Ended(Result.DONE if charge.status is ChargeStatus.REFUNDED else Result.REFUSED)

    return act


def _unless_stopped(act: Act) -> Act:
    return lambda order, work: act(order, work) if order.saga.stop is None or work.begun else Ended(Result.SKIPPED)


def _buy_label(carrier: Carrier, printer: LabelPrinter) -> Act:
    def act(order: Order, work: Work) -> Ended:
        to = order.customer
        weight_g = _PIECE_WEIGHT_G * sum(pieces(order.lines).values())
        try:
            tracking_number = carrier.create_shipment(
                f"{order.id}:shipment", order_id=order.id, address=dict(to.address), weight_g=weight_g
            )
        except Permanent as error:
            return Ended(Result.REFUSED, f"the carrier does not take it: {error}")
        # What was begun and has no outcome may have ended at the drawing, which is then no part of this any more.
        label = None if work.begun else drawn_along(printer, order, tracking_number)
        return Ended(
            Result.DONE, tracking_number=tracking_number, label=label, detail={"tracking_number": tracking_number}
        )

    return _unless_stopped(act)


def _hand_over(carrier: Carrier) -> Act:
    def act(order: Order, work: Work) -> Ended:
        # A stop is settled by voiding: the carrier refuses that for a parcel it already has, whichever process was killed meanwhile.
        if order.saga.stop is not None:
            return Ended(Result.SKIPPED)
        carrier.hand_over(_tracking(order))
        return Ended(Result.DONE)

    return act


def _void_label(carrier: Carrier) -> Act:
    return lambda order, work: Ended(Result.DONE if carrier.void(_tracking(order)) else Result.REFUSED)


def _tracking(order: Order) -> str:
    assert order.tracking_number is not None, f"order {order.id} has a label but no tracking number"
    return order.tracking_number
