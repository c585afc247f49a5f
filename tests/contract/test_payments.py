"""What every payment provider promises: the real adapter before the real provider, and the one in memory."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from outside_servers import OutsideServer

from chassis.errors import Permanent
from orders.adapters.instant import InstantPayments
from orders.adapters.payments import HttpPayments
from orders.adapters.wire import Wire
from orders.ports import Charge, ChargeStatus, PaymentProvider


@pytest.fixture(params=["http", "instant"])
def provider(request: pytest.FixtureRequest) -> PaymentProvider:
    if request.param == "instant":
        return InstantPayments()
    server: OutsideServer = request.getfixturevalue("payments_server")
    return HttpPayments(Wire(server.url, name="payment provider"))


@pytest.fixture
def key() -> str:
    return f"{uuid4()}:payment"


@pytest.fixture
def charge(provider: PaymentProvider, key: str) -> Callable[..., Charge]:
    """Charge 10.00 EUR for the test's key, unless told otherwise."""

    def make(**other: Any) -> Charge:
        values = {"order_id": "o-1", "amount_minor": 1000, "currency": "EUR", "card": "tok_ok", **other}
        return provider.charge(key, **values)

    return make


def test_a_charge_is_captured_and_found(provider: PaymentProvider, key: str, charge: Callable[..., Charge]) -> None:
    made = charge()

    assert made.status is ChargeStatus.CAPTURED
    assert made.charge_id
    assert made == provider.find(key)


def test_a_repeat_gets_the_first_answer(charge: Callable[..., Charge]) -> None:
    assert charge() == charge()


@pytest.mark.parametrize(
    "other",
    [{"amount_minor": 1001}, {"currency": "USD"}, {"card": "tok_other"}, {"order_id": "o-2"}],
    ids=lambda o: next(iter(o)),
)
def test_a_key_with_another_body_is_refused_for_good(charge: Callable[..., Charge], other: dict[str, Any]) -> None:
    made = charge()

    with pytest.raises(Permanent, match="another body"):
        charge(**other)
    assert made == charge()


@pytest.mark.parametrize(("card", "reason"), [("tok_declined", "card declined"), ("4111111111111111", "unknown card")])
def test_a_bad_card_is_declined_and_stays_so(
    provider: PaymentProvider, key: str, charge: Callable[..., Charge], card: str, reason: str
) -> None:
    first = charge(card=card)

    assert (ChargeStatus.DECLINED, reason) == (first.status, first.reason)
    assert first == charge(card=card) == provider.find(key)


def test_an_amount_of_nothing_is_refused_for_good(charge: Callable[..., Charge]) -> None:
    with pytest.raises(Permanent, match="amount_minor"):
        charge(amount_minor=0)


def test_a_key_never_seen_is_not_found(provider: PaymentProvider, key: str) -> None:
    assert provider.find(key) is None


def test_reversing_a_charge_refunds_it_once(provider: PaymentProvider, key: str, charge: Callable[..., Charge]) -> None:
    made = charge()

    refunded = provider.reverse(key)

    assert Charge(ChargeStatus.REFUNDED, made.charge_id) == refunded
    assert refunded == provider.reverse(key) == provider.find(key)


def test_a_refunded_charge_is_not_captured_again(
    provider: PaymentProvider, key: str, charge: Callable[..., Charge]
) -> None:
    charge()
    provider.reverse(key)

    assert charge().status is ChargeStatus.REFUNDED


def test_reversing_what_never_came_bars_the_late_charge(
    provider: PaymentProvider, key: str, charge: Callable[..., Charge]
) -> None:
    voided = provider.reverse(key)

    assert Charge(ChargeStatus.VOIDED) == voided
    assert voided == charge() == provider.reverse(key) == provider.find(key)


def test_reversing_a_declined_charge_leaves_it_declined(
    provider: PaymentProvider, key: str, charge: Callable[..., Charge]
) -> None:
    charge(card="tok_declined")

    assert provider.reverse(key).status is ChargeStatus.DECLINED


def test_a_key_may_hold_any_printable_character(provider: PaymentProvider) -> None:
    key = f"a/b:{uuid4()}?c=d&e#f %"

    made = provider.charge(key, order_id="o-1", amount_minor=1, currency="EUR", card="tok_ok")

    assert made == provider.find(key)


def test_eight_threads_with_one_key_charge_once(charge: Callable[..., Charge]) -> None:
    with ThreadPoolExecutor(8) as pool:
        charges = set(pool.map(lambda _: charge(), range(32)))

    assert len(charges) == 1
