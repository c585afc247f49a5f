"""The saga by examples: the straight way, the way back, and the one answer of each race."""

import pytest

from orders.domain.errors import OutOfPlace
from orders.domain.saga import (
    Advance,
    MailKind,
    Parcel,
    Payment,
    Result,
    Saga,
    State,
    Step,
    Stock,
    Stop,
    begin,
    cancel,
    concluded,
    deliver,
    expire,
    plan,
)

STRAIGHT = (Step.RESERVE_STOCK, Step.TAKE_PAYMENT, Step.BUY_LABEL, Step.HAND_OVER)


def end(saga: Saga, result: Result = Result.DONE, reason: str | None = None) -> Advance:
    """The open step ends."""
    assert saga.open is not None
    advance = concluded(saga, saga.open, result, reason)
    assert advance is not None
    return advance


def before(step: Step) -> Saga:
    """An order on its straight way, with `step` open."""
    saga = begin().saga
    while saga.open is not step:
        saga = end(saga).saga
    return saga


def stopped(saga: Saga) -> Saga:
    """The customer cancelled."""
    advance = cancel(saga, "changed my mind")
    assert advance is not None
    return advance.saga


def finish(saga: Saga, **results: Result) -> tuple[Saga, list[Step]]:
    """Run to the end; steps not named in `results` succeed. The steps that were taken, in order."""
    taken = []
    while saga.open is not None:
        taken.append(saga.open)
        saga = end(saga, results.get(saga.open.value, Result.DONE)).saga
    return saga, taken


def test_a_new_order_is_pending_and_reserves_its_goods_first() -> None:
    assert Advance(Saga(open=Step.RESERVE_STOCK), Step.RESERVE_STOCK, ()) == begin()


def test_the_straight_way_has_four_steps() -> None:
    saga, taken = finish(begin().saga)

    assert [*STRAIGHT] == taken
    assert State.SHIPPED is saga.state


@pytest.mark.parametrize(
    ("step", "state", "mails"),
    [
        (Step.RESERVE_STOCK, State.PROCESSING, ()),
        (Step.TAKE_PAYMENT, State.PAID, (MailKind.CONFIRMATION,)),
        (Step.BUY_LABEL, State.PAID, ()),
        (Step.HAND_OVER, State.SHIPPED, (MailKind.SHIPPED,)),
    ],
)
def test_each_step_leads_to_its_state_and_owes_its_mail(step: Step, state: State, mails: tuple[MailKind, ...]) -> None:
    advance = end(before(step))

    assert (state, mails) == (advance.saga.state, advance.mails)


def test_a_delivery_ends_the_order() -> None:
    shipped, _ = finish(begin().saga)

    advance = deliver(shipped)

    assert advance is not None
    assert (State.DELIVERED, None, (MailKind.DELIVERED,)) == (advance.saga.state, advance.step, advance.mails)


@pytest.mark.parametrize("step", list(Step))
def test_an_outcome_of_a_step_that_is_not_open_changes_nothing(step: Step) -> None:
    saga = before(Step.BUY_LABEL)

    assert step is Step.BUY_LABEL or concluded(saga, step, Result.DONE) is None


def test_a_repeated_outcome_changes_nothing() -> None:
    after = end(before(Step.TAKE_PAYMENT)).saga

    assert concluded(after, Step.TAKE_PAYMENT, Result.DONE) is None


@pytest.mark.parametrize(
    ("step", "result"),
    [
        (Step.RESERVE_STOCK, Result.UNKNOWN),
        (Step.TAKE_PAYMENT, Result.ABSENT),
        (Step.BUY_LABEL, Result.UNKNOWN),
        (Step.HAND_OVER, Result.REFUSED),
        (Step.HAND_OVER, Result.ABSENT),
    ],
)
def test_a_result_that_a_step_cannot_have_is_out_of_place(step: Step, result: Result) -> None:
    with pytest.raises(OutOfPlace, match=f"{step} cannot end as {result}"):
        concluded(before(step), step, result)


def test_a_step_is_not_skipped_while_nothing_asks_the_order_to_stop() -> None:
    with pytest.raises(OutOfPlace, match="buy_label was skipped"):
        concluded(before(Step.BUY_LABEL), Step.BUY_LABEL, Result.SKIPPED)


@pytest.mark.parametrize(
    ("step", "undone"),
    [
        (Step.RESERVE_STOCK, []),
        (Step.TAKE_PAYMENT, [Step.RELEASE_STOCK]),
        (Step.BUY_LABEL, [Step.REFUND_PAYMENT, Step.RELEASE_STOCK]),
    ],
)
def test_a_refused_step_undoes_what_came_before_latest_first_and_fails(step: Step, undone: list[Step]) -> None:
    refused = end(before(step), Result.REFUSED, "no")

    saga, taken = finish(refused.saga)
    assert undone == taken
    assert (State.FAILED, "no") == (saga.state, saga.reason)


def test_a_failed_order_owes_one_mail() -> None:
    assert (MailKind.FAILED,) == end(before(Step.RESERVE_STOCK), Result.REFUSED).mails


def test_a_compensation_refused_by_the_outside_does_not_change_why_the_order_stopped() -> None:
    saga = stopped(before(Step.TAKE_PAYMENT))
    unseen = end(end(saga, Result.UNKNOWN).saga, Result.ABSENT).saga

    assert Stop.CANCELLED is end(unseen, Result.REFUSED, "never seen").saga.stop


@pytest.mark.parametrize(
    ("step", "undone"),
    [
        (Step.RESERVE_STOCK, []),
        (Step.TAKE_PAYMENT, [Step.RELEASE_STOCK]),
        (Step.BUY_LABEL, [Step.REFUND_PAYMENT, Step.RELEASE_STOCK]),
        (Step.HAND_OVER, [Step.VOID_LABEL, Step.REFUND_PAYMENT, Step.RELEASE_STOCK]),
    ],
)
def test_a_cancelled_order_skips_its_open_step_and_undoes_the_rest(step: Step, undone: list[Step]) -> None:
    skipped = end(stopped(before(step)), Result.SKIPPED)

    saga, taken = finish(skipped.saga)
    assert undone == taken
    assert State.CANCELLED is saga.state


def test_cancelling_waits_for_the_open_step() -> None:
    assert Step.TAKE_PAYMENT is stopped(before(Step.TAKE_PAYMENT)).open


def test_while_an_order_turns_back_the_customer_sees_its_last_state() -> None:
    saga = end(stopped(before(Step.HAND_OVER)), Result.SKIPPED).saga

    for step in (Step.VOID_LABEL, Step.REFUND_PAYMENT, Step.RELEASE_STOCK):
        assert (step, State.PAID) == (saga.open, saga.state)
        saga = end(saga).saga


def test_a_cancelled_order_keeps_the_reason() -> None:
    assert "changed my mind" == stopped(before(Step.BUY_LABEL)).reason


# Races. Cancel × charge in flight: the outcome is awaited, then refunded.


def test_a_charge_that_succeeds_after_the_cancellation_is_refunded() -> None:
    saga, taken = finish(stopped(before(Step.TAKE_PAYMENT)))

    assert [Step.TAKE_PAYMENT, Step.REFUND_PAYMENT, Step.RELEASE_STOCK] == taken
    assert (State.CANCELLED, Payment.REFUNDED) == (saga.state, saga.payment)


def test_a_charge_that_is_declined_after_the_cancellation_needs_no_refund() -> None:
    saga, taken = finish(stopped(before(Step.TAKE_PAYMENT)), take_payment=Result.REFUSED)

    assert [Step.TAKE_PAYMENT, Step.RELEASE_STOCK] == taken
    assert (State.CANCELLED, "changed my mind") == (saga.state, saga.reason)


@pytest.mark.parametrize("stop", [cancel, expire])
def test_a_charge_of_unknown_outcome_is_asked_about_before_anything_is_undone(stop: object) -> None:
    advance = stop(before(Step.TAKE_PAYMENT))  # type: ignore[operator]

    assert Step.ASK_PAYMENT is end(advance.saga, Result.UNKNOWN).step


def test_a_charge_that_was_never_seen_is_barred_before_the_goods_are_released() -> None:
    results = {"take_payment": Result.UNKNOWN, "ask_payment": Result.ABSENT, "refund_payment": Result.REFUSED}
    saga, taken = finish(stopped(before(Step.TAKE_PAYMENT)), **results)

    assert [Step.TAKE_PAYMENT, Step.ASK_PAYMENT, Step.REFUND_PAYMENT, Step.RELEASE_STOCK] == taken
    assert Payment.BARRED is saga.payment


def test_a_charge_that_was_never_seen_is_tried_again_while_nobody_wants_to_stop() -> None:
    asked = end(before(Step.TAKE_PAYMENT), Result.UNKNOWN).saga

    assert Step.TAKE_PAYMENT is end(asked, Result.ABSENT).step


def test_a_charge_that_may_still_arrive_is_barred_also_when_the_second_try_was_skipped() -> None:
    asked = end(before(Step.TAKE_PAYMENT), Result.UNKNOWN).saga
    trying_again = end(asked, Result.ABSENT).saga

    assert Step.REFUND_PAYMENT is end(stopped(trying_again), Result.SKIPPED).step


@pytest.mark.parametrize(("answer", "payment"), [(Result.DONE, Payment.CAPTURED), (Result.REFUSED, Payment.DECLINED)])
def test_the_provider_answers_what_became_of_a_charge(answer: Result, payment: Payment) -> None:
    asked = end(before(Step.TAKE_PAYMENT), Result.UNKNOWN).saga

    assert payment is end(asked, answer).saga.payment


# Expiry × late success: money that came wins.


def test_an_expired_order_whose_money_came_goes_on() -> None:
    advance = expire(before(Step.TAKE_PAYMENT))
    assert advance is not None

    paid = end(advance.saga)

    assert (State.PAID, Step.BUY_LABEL, None, None) == (paid.saga.state, paid.step, paid.saga.stop, paid.saga.reason)


def test_an_expired_order_without_money_fails() -> None:
    advance = expire(before(Step.TAKE_PAYMENT))
    assert advance is not None

    saga, taken = finish(advance.saga, take_payment=Result.REFUSED)

    assert [Step.TAKE_PAYMENT, Step.RELEASE_STOCK] == taken
    assert State.FAILED is saga.state


def test_a_paid_order_does_not_expire() -> None:
    assert expire(before(Step.BUY_LABEL)) is None


def test_an_order_that_turned_back_does_not_expire() -> None:
    assert expire(stopped(before(Step.TAKE_PAYMENT))) is None


def test_a_cancelled_order_whose_money_came_is_still_cancelled() -> None:
    assert Stop.CANCELLED is end(stopped(before(Step.TAKE_PAYMENT))).saga.stop


def test_an_expiring_order_can_be_cancelled_and_ends_as_cancelled() -> None:
    expiring = expire(before(Step.TAKE_PAYMENT))
    assert expiring is not None

    saga, _ = finish(stopped(expiring.saga))

    assert State.CANCELLED is saga.state


# Cancel × hand-over: the carrier decides.


def test_a_parcel_that_the_carrier_has_goes_on_whoever_cancelled() -> None:
    voiding = end(stopped(before(Step.HAND_OVER)), Result.SKIPPED)
    assert Step.VOID_LABEL is voiding.step

    refused = end(voiding.saga, Result.REFUSED)

    assert (State.SHIPPED, None, None) == (refused.saga.state, refused.saga.stop, refused.saga.reason)
    assert (Parcel.HANDED_OVER, Stock.SHIPPED) == (refused.saga.parcel, refused.saga.stock)
    assert (MailKind.CANCEL_REFUSED, MailKind.SHIPPED) == refused.mails


def test_a_hand_over_that_succeeds_after_the_cancellation_goes_on() -> None:
    after = end(stopped(before(Step.HAND_OVER)))

    assert (State.SHIPPED, None, None) == (after.saga.state, after.saga.stop, after.step)
    assert (MailKind.CANCEL_REFUSED, MailKind.SHIPPED) == after.mails


def test_a_reservation_that_ran_out_too_late_refuses_nobody_anything() -> None:
    expiring = expire(before(Step.TAKE_PAYMENT))
    assert expiring is not None

    assert (MailKind.CONFIRMATION,) == end(expiring.saga).mails


def test_a_shipped_order_cannot_be_cancelled() -> None:
    shipped, _ = finish(begin().saga)

    assert cancel(shipped) is None


@pytest.mark.parametrize("state", [State.DELIVERED, State.CANCELLED, State.FAILED])
def test_a_final_order_neither_stops_nor_plans(state: State) -> None:
    saga = Saga(state=state)

    assert (None, None, None) == (cancel(saga), expire(saga), plan(saga))


def test_cancelling_twice_changes_nothing() -> None:
    assert cancel(stopped(before(Step.BUY_LABEL))) is None


def test_an_order_that_was_refused_cannot_be_cancelled() -> None:
    assert cancel(end(before(Step.BUY_LABEL), Result.REFUSED).saga) is None


# Delivery before hand-over: remembered.


def test_a_delivery_told_before_the_hand_over_counts_once_that_is_recorded() -> None:
    early = deliver(before(Step.HAND_OVER))
    assert early is not None
    assert (State.PAID, None, ()) == (early.saga.state, early.step, early.mails)

    recorded = end(early.saga)

    assert (State.DELIVERED, (MailKind.SHIPPED, MailKind.DELIVERED)) == (recorded.saga.state, recorded.mails)


def test_an_order_said_to_be_delivered_cannot_be_cancelled() -> None:
    early = deliver(before(Step.HAND_OVER))
    assert early is not None

    assert cancel(early.saga) is None


def test_a_repeated_delivery_changes_nothing() -> None:
    shipped, _ = finish(begin().saga)
    delivered = deliver(shipped)
    assert delivered is not None

    assert deliver(delivered.saga) is None


@pytest.mark.parametrize("step", STRAIGHT[:3])
def test_without_a_parcel_nothing_is_delivered(step: Step) -> None:
    assert deliver(before(step)) is None


def test_a_voided_parcel_is_not_delivered() -> None:
    voided = end(end(stopped(before(Step.HAND_OVER)), Result.SKIPPED).saga).saga

    assert deliver(voided) is None


def test_a_parcel_that_was_delivered_while_it_was_to_be_voided_ends_delivered() -> None:
    voiding = end(stopped(before(Step.HAND_OVER)), Result.SKIPPED).saga
    told = deliver(voiding)
    assert told is not None

    assert State.DELIVERED is end(told.saga, Result.REFUSED).saga.state


@pytest.mark.parametrize(("stop", "state"), [(Stop.CANCELLED, State.CANCELLED), (Stop.EXPIRED, State.FAILED)])
def test_why_an_order_stopped_decides_how_it_ends(stop: Stop, state: State) -> None:
    assert state is stop.ends_as


@pytest.mark.parametrize("step", list(Step))
def test_compensations_are_the_three_steps_that_undo(step: Step) -> None:
    assert (step in (Step.VOID_LABEL, Step.REFUND_PAYMENT, Step.RELEASE_STOCK)) is step.compensation
