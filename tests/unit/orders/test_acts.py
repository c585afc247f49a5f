"""What each act asks of the outside, and what it makes of the answer."""

from dataclasses import replace
from typing import Any

import pytest

from chassis.errors import Permanent, Transient
from fakes.order_making import ADDRESS, make_order, make_work, saga_before
from fakes.orders_world import Fault, FaultyOutside
from orders.domain.order import Line, Order
from orders.domain.saga import Result, Saga, Step, cancel
from orders.ports import Charge, ChargeStatus, UnknownOutcome
from orders.usecases.acts import acts
from orders.usecases.steps import Ended


class Outside(FaultyOutside):
    """Also keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []

    def charge(self, key: str, **what: Any) -> Charge:
        self.asked.append((key, what))
        return super().charge(key, **what)

    def create_shipment(self, key: str, **what: Any) -> str:
        self.asked.append((key, what))
        return super().create_shipment(key, **what)

    def do(self, step: Step, order: Order | None = None, *, begun: bool = False) -> Ended:
        order = order or make_order(saga=saga_before(step))
        return acts(self, self, self)[step](order, make_work(step, begun=begun))


def stopped(step: Step) -> Order:
    advance = cancel(saga_before(step))
    assert advance is not None
    return make_order(saga=advance.saga, tracking_number="To-1")


def labelled(saga: Saga | None = None) -> Order:
    return make_order(saga=saga or saga_before(Step.HAND_OVER), tracking_number="To-1")


def booked() -> Outside:
    outside = Outside()
    outside.parcels["To-1"] = "booked"
    return outside


def test_a_payment_is_one_charge_by_the_orders_key() -> None:
    outside = Outside()

    ended = outside.do(Step.TAKE_PAYMENT)

    assert Ended(Result.DONE, detail={"charge": "ch-o-1:payment"}) == ended
    expected = {"order_id": "o-1", "amount_minor": 500, "currency": "EUR", "card": "tok_ok"}
    assert [("o-1:payment", expected)] == outside.asked


def test_a_declined_card_refuses_the_payment_with_the_reason() -> None:
    outside = Outside()
    outside.charges["o-1:payment"] = Charge(ChargeStatus.DECLINED, reason="no funds")

    assert Ended(Result.REFUSED, "payment declined: no funds") == outside.do(Step.TAKE_PAYMENT)


def test_a_key_that_was_barred_refuses_the_payment() -> None:
    outside = Outside()
    outside.charges["o-1:payment"] = Charge(ChargeStatus.VOIDED)

    assert Ended(Result.REFUSED, "payment voided") == outside.do(Step.TAKE_PAYMENT)


def test_a_charge_without_an_answer_is_unknown_and_says_why() -> None:
    outside = Outside()
    outside.fault = Fault.LOST_AFTER

    assert Ended(Result.UNKNOWN, detail={"why": "timed out"}) == outside.do(Step.TAKE_PAYMENT)


def test_a_charge_that_certainly_did_not_happen_is_tried_again() -> None:
    outside = Outside()
    outside.fault = Fault.BEFORE

    with pytest.raises(Transient):
        outside.do(Step.TAKE_PAYMENT)


@pytest.mark.parametrize(("begun", "result"), [(False, Result.SKIPPED), (True, Result.UNKNOWN)])
def test_a_payment_that_is_not_wanted_any_more_is_not_begun_and_one_that_was_is_asked_about(
    begun: bool, result: Result
) -> None:
    outside = Outside()

    assert Ended(result) == outside.do(Step.TAKE_PAYMENT, stopped(Step.TAKE_PAYMENT), begun=begun)
    assert [] == outside.asked


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, Ended(Result.ABSENT)),
        (Charge(ChargeStatus.CAPTURED, "ch-1"), Ended(Result.DONE, detail={"charge": "ch-1"})),
        (Charge(ChargeStatus.DECLINED, reason="no"), Ended(Result.REFUSED, "payment declined: no")),
        (Charge(ChargeStatus.REFUNDED), Ended(Result.REFUSED, "payment refunded")),
    ],
)
def test_asking_tells_what_became_of_the_charge(found: Charge | None, expected: Ended) -> None:
    outside = Outside()
    if found:
        outside.charges["o-1:payment"] = found

    assert expected == outside.do(Step.ASK_PAYMENT, make_order())


@pytest.mark.parametrize(
    ("found", "result"),
    [
        (Charge(ChargeStatus.CAPTURED), Result.DONE),
        (Charge(ChargeStatus.REFUNDED), Result.DONE),
        (Charge(ChargeStatus.DECLINED), Result.REFUSED),
        (None, Result.REFUSED),
    ],
)
def test_a_refund_gives_captured_money_back_and_bars_the_rest(found: Charge | None, result: Result) -> None:
    outside = Outside()
    if found:
        outside.charges["o-1:payment"] = found

    assert Ended(result) == outside.do(Step.REFUND_PAYMENT, make_order())


def test_a_label_is_bought_once_by_the_orders_key_and_weighs_its_pieces() -> None:
    outside = Outside()
    lines = (Line("LAMP", 2, 250, 500), Line("MUG", 3, 1, 3))

    ended = outside.do(Step.BUY_LABEL, make_order(saga=saga_before(Step.BUY_LABEL), lines=lines))

    assert [("o-1:shipment", {"order_id": "o-1", "address": ADDRESS, "weight_g": 1250})] == outside.asked
    detail = {"tracking_number": "To-1"}
    assert Ended(Result.DONE, tracking_number="To-1", label=b"%PDF-To-1", detail=detail) == ended


class Jammed(Outside):
    """A printer that draws nothing."""

    def label(self, **what: Any) -> bytes:
        raise Permanent("no such barcode")


def test_a_booked_parcel_is_known_whatever_becomes_of_its_label() -> None:
    ended = Jammed().do(Step.BUY_LABEL)

    assert Ended(Result.DONE, tracking_number="To-1", detail={"tracking_number": "To-1"}) == ended


def test_a_label_whose_drawing_may_have_killed_a_worker_is_not_drawn_along_again() -> None:
    ended = Outside().do(Step.BUY_LABEL, begun=True)

    assert ("To-1", None) == (ended.tracking_number, ended.label)


def test_a_parcel_that_the_carrier_does_not_take_is_refused_with_the_reason() -> None:
    class Strict(Outside):
        def create_shipment(self, key: str, **what: Any) -> str:
            raise Permanent("no such street")

    assert Ended(Result.REFUSED, "the carrier does not take it: no such street") == Strict().do(Step.BUY_LABEL)


def test_a_label_that_is_not_wanted_any_more_is_not_bought() -> None:
    outside = Outside()

    assert Ended(Result.SKIPPED) == outside.do(Step.BUY_LABEL, stopped(Step.BUY_LABEL))
    assert [] == outside.ledger


def test_a_label_that_may_have_been_bought_is_bought_again_so_that_it_can_be_voided() -> None:
    ended = Outside().do(Step.BUY_LABEL, stopped(Step.BUY_LABEL), begun=True)

    assert (Result.DONE, "To-1") == (ended.result, ended.tracking_number)


def test_a_parcel_is_handed_over() -> None:
    outside = booked()

    assert Ended(Result.DONE) == outside.do(Step.HAND_OVER, labelled())
    assert "taken" == outside.parcels["To-1"]


@pytest.mark.parametrize("begun", [False, True])
def test_a_parcel_of_an_order_that_stopped_is_not_handed_over_whoever_began(begun: bool) -> None:
    outside = booked()

    assert Ended(Result.SKIPPED) == outside.do(Step.HAND_OVER, stopped(Step.HAND_OVER), begun=begun)
    assert "booked" == outside.parcels["To-1"]


@pytest.mark.parametrize(("parcel", "result"), [("booked", Result.DONE), ("taken", Result.REFUSED)])
def test_voiding_fails_for_a_parcel_that_the_carrier_has(parcel: str, result: Result) -> None:
    outside = booked()
    outside.parcels["To-1"] = parcel

    assert Ended(result) == outside.do(Step.VOID_LABEL, labelled())


def test_a_label_without_a_tracking_number_is_a_bug_that_names_the_order() -> None:
    with pytest.raises(AssertionError, match="order o-1 has a label but no tracking number"):
        booked().do(Step.HAND_OVER, replace(labelled(), tracking_number=None))


def test_a_void_without_an_answer_is_unknown() -> None:
    outside = booked()
    outside.fault = Fault.LOST_AFTER

    with pytest.raises(UnknownOutcome):
        outside.do(Step.VOID_LABEL, labelled())
