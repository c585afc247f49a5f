"""What a restored order learns from the outside, and what is to be done about effects that nobody answers for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.order_making import make_order, saga_before
from orders.domain.reconciliation import Remedy, Seen, compare, learn
from orders.domain.saga import (
    MailKind,
    Parcel,
    Payment,
    Result,
    Saga,
    State,
    Step,
    Stock,
    Stop,
    cancel,
    concluded,
    expire,
)

CHARGED = Seen(Payment.CAPTURED, 500, "EUR", "o-1:payment")
LABELLED = replace(CHARGED, parcel=Parcel.LABELLED, tracking_number="T1")
UNDER_WAY = replace(LABELLED, parcel=Parcel.HANDED_OVER)
DELIVERED = replace(UNDER_WAY, delivered=True)
REFUNDED = Seen(Payment.REFUNDED, 500, "EUR", "o-1:payment", Parcel.VOIDED, "T1")


def carried_out(saga: Saga, refusing: Step | None = None) -> list[Step]:
    """The steps that are still taken, each with the outcome it already had; `refusing` is refused."""
    steps: list[Step] = []
    while saga.open is not None:
        steps.append(saga.open)
        advance = concluded(saga, saga.open, Result.REFUSED if saga.open is refusing else Result.DONE)
        assert advance is not None
        saga = advance.saga
    return steps


def learned(saga: Saga, seen: Seen) -> Saga:
    advance = learn(saga, seen)
    assert advance is not None
    return advance.saga


def test_an_order_that_was_delivered_meanwhile_goes_all_its_way_without_another_charge() -> None:
    saga = learned(saga_before(Step.RESERVE_STOCK), DELIVERED)

    assert [Step.RESERVE_STOCK, Step.HAND_OVER] == carried_out(saga)


def test_a_repeated_hand_over_ends_the_order_that_is_known_to_be_delivered() -> None:
    saga = learned(saga_before(Step.HAND_OVER), DELIVERED)
    advance = concluded(saga, Step.HAND_OVER, Result.DONE)

    assert advance is not None
    assert (State.DELIVERED, (MailKind.SHIPPED, MailKind.DELIVERED)) == (advance.saga.state, advance.mails)


def test_a_shipped_order_hears_of_its_delivery() -> None:
    shipped = Saga(State.SHIPPED, Stock.SHIPPED, Payment.CAPTURED, Parcel.HANDED_OVER)

    assert State.DELIVERED is learned(shipped, DELIVERED).state


def test_a_charge_that_was_learned_owes_the_confirmation() -> None:
    advance = learn(saga_before(Step.TAKE_PAYMENT), CHARGED)

    assert advance is not None
    assert (State.PAID, (MailKind.CONFIRMATION,)) == (advance.saga.state, advance.mails)


def test_a_reservation_that_ran_out_does_not_turn_back_an_order_that_was_charged_meanwhile() -> None:
    assert expire(learned(saga_before(Step.TAKE_PAYMENT), CHARGED)) is None


def test_an_order_that_is_cancelled_after_a_restore_undoes_what_it_learned() -> None:
    advance = cancel(learned(saga_before(Step.RESERVE_STOCK), LABELLED))
    assert advance is not None
    skipped = concluded(advance.saga, Step.RESERVE_STOCK, Result.SKIPPED)

    assert skipped is not None
    assert [Step.VOID_LABEL, Step.REFUND_PAYMENT] == carried_out(skipped.saga)


def test_an_order_that_was_undone_meanwhile_stops() -> None:
    saga = learned(saga_before(Step.TAKE_PAYMENT), REFUNDED)

    assert (Stop.CANCELLED, [Step.TAKE_PAYMENT]) == (saga.stop, [saga.open])


def test_a_parcel_that_was_voided_is_not_handed_over() -> None:
    saga = learned(saga_before(Step.HAND_OVER), replace(LABELLED, parcel=Parcel.VOIDED))
    advance = concluded(saga, Step.HAND_OVER, Result.SKIPPED)

    assert advance is not None
    assert [Step.REFUND_PAYMENT, Step.RELEASE_STOCK] == carried_out(advance.saga)


def test_a_card_that_was_declined_stays_declined() -> None:
    saga = learned(saga_before(Step.TAKE_PAYMENT), Seen(Payment.DECLINED))

    assert (Stop.REFUSED, "payment declined") == (saga.stop, saga.reason)


SEEN = st.builds(
    Seen,
    payment=st.sampled_from([Payment.NONE, Payment.CAPTURED, Payment.DECLINED, Payment.REFUNDED, Payment.BARRED]),
    amount_minor=st.just(500),
    currency=st.just("EUR"),
    parcel=st.sampled_from(Parcel),
    delivered=st.booleans(),
)


@given(st.sampled_from([Step.RESERVE_STOCK, Step.TAKE_PAYMENT, Step.BUY_LABEL, Step.HAND_OVER]), SEEN)
def test_what_was_learned_once_is_not_learned_again(step: Step, seen: Seen) -> None:
    advance = learn(saga_before(step), seen)

    assert advance is None or learn(advance.saga, seen) is None


@given(st.sampled_from([State.DELIVERED, State.CANCELLED, State.FAILED]), SEEN)
def test_an_order_that_ended_learns_nothing(state: State, seen: Seen) -> None:
    assert learn(Saga(state), seen) is None


ENDED = make_order(saga=Saga(State.FAILED, stop=Stop.EXPIRED))
GONE = Saga(State.DELIVERED, Stock.SHIPPED, Payment.CAPTURED, Parcel.HANDED_OVER, True)
REMEDIES = {
    "a charge that is news to the order": (make_order(), CHARGED, Remedy.LEARN, "payment captured"),
    "a charge of no order": (None, CHARGED, Remedy.UNDO, "no such order; 500 EUR charged"),
    "a label of no order": (None, replace(LABELLED, payment=Payment.NONE), Remedy.UNDO, "no such order; a label T1"),
    "a charge of an order that failed": (ENDED, CHARGED, Remedy.UNDO, "the order is failed; 500 EUR charged"),
    "a parcel under way of no order": (None, UNDER_WAY, Remedy.PERSON, "500 EUR charged, a parcel under way T1"),
    "a delivered parcel of no order": (None, DELIVERED, Remedy.PERSON, "500 EUR charged, a delivered parcel T1"),
    "another amount": (
        make_order(total_minor=400),
        CHARGED,
        Remedy.PERSON,
        "500 EUR charged, the order's total is 400 EUR",
    ),
}


@pytest.mark.parametrize(("order", "seen", "remedy", "why"), REMEDIES.values(), ids=REMEDIES)
def test_each_difference_has_its_remedy(order: object, seen: Seen, remedy: Remedy, why: str) -> None:
    difference = compare("o-1", order, seen)  # type: ignore[arg-type]

    assert difference is not None
    assert (remedy, True) == (difference.remedy, difference.why.endswith(why))


SETTLED = {
    "no order, and nothing of it left": (None, REFUNDED),
    "no order, its parcel gone and its money given back": (None, replace(UNDER_WAY, payment=Payment.REFUNDED)),
    "an order that failed, and nothing of it left": (ENDED, REFUNDED),
    "a delivered order": (make_order(saga=GONE), DELIVERED),
    "a shipped order whose parcel is under way": (
        make_order(saga=replace(GONE, state=State.SHIPPED, delivered=False)), UNDER_WAY
    ),
}  # fmt: skip


@pytest.mark.parametrize(("order", "seen"), SETTLED.values(), ids=SETTLED)
def test_what_agrees_is_no_difference(order: object, seen: Seen) -> None:
    assert compare("o-1", order, seen) is None  # type: ignore[arg-type]
