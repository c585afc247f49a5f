"""Faults on real servers, and what the real adapters make of them."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from outside_servers import CLIENT, OutsideServer, wait_until

from chassis.errors import Transient
from orders.adapters.carrier import HttpCarrier
from orders.adapters.mail import SmtpMailer
from orders.adapters.payments import HttpPayments
from orders.adapters.wire import Wire
from orders.ports import Charge, ChargeStatus, Mail, UnknownOutcome

pytestmark = pytest.mark.integration

SHORT = 0.6


@pytest.fixture
def key() -> str:
    return f"{uuid4()}:payment"


@pytest.fixture
def provider(healthy_payments: OutsideServer) -> HttpPayments:
    return HttpPayments(Wire(healthy_payments.url, name="payment provider", total_seconds=SHORT))


def charge(provider: HttpPayments, key: str, order_id: str = "o-1") -> Charge:
    return provider.charge(key, order_id=order_id, amount_minor=100, currency="EUR", card="tok_ok")


@pytest.mark.parametrize(
    ("fault", "ledger"),
    [("timeout_before", []), ("timeout_after", ["capture"]), ("server_error", []), ("server_error_after", ["capture"])],
)
def test_a_charge_that_broke_is_unknown_until_asked(
    healthy_payments: OutsideServer, provider: HttpPayments, fault: str, ledger: list[str], key: str
) -> None:
    healthy_payments.fault(**{fault: 1.0})

    with pytest.raises(UnknownOutcome):
        charge(provider, key)
    healthy_payments.heal()

    assert ledger == healthy_payments.kinds(key)
    found = provider.find(key)
    assert ledger == [] if found is None else found.status is ChargeStatus.CAPTURED


def test_asking_is_never_unknown(healthy_payments: OutsideServer, provider: HttpPayments, key: str) -> None:
    healthy_payments.fault(server_error=1.0)

    with pytest.raises(Transient) as raised:
        provider.find(key)

    assert not isinstance(raised.value, UnknownOutcome)


def test_a_throttled_charge_had_no_effect_and_says_when_to_come_again(
    healthy_payments: OutsideServer, provider: HttpPayments, key: str
) -> None:
    healthy_payments.fault(throttle=1.0)

    with pytest.raises(Transient) as raised:
        charge(provider, key)

    assert not isinstance(raised.value, UnknownOutcome)
    assert raised.value.retry_after_seconds == 1.0
    assert healthy_payments.kinds(key) == []


def test_a_charge_during_an_outage_had_no_effect(
    healthy_payments: OutsideServer, provider: HttpPayments, key: str
) -> None:
    healthy_payments.outage(seconds=60, retry_after_seconds=7)

    with pytest.raises(Transient) as raised:
        charge(provider, key)

    assert not isinstance(raised.value, UnknownOutcome)
    assert raised.value.retry_after_seconds == 7.0
    assert healthy_payments.kinds(key) == []


def test_a_hanging_outage_leaves_the_caller_without_an_answer(
    healthy_payments: OutsideServer, provider: HttpPayments, key: str
) -> None:
    healthy_payments.outage(seconds=60, mode="hang")

    with pytest.raises(UnknownOutcome):
        charge(provider, key)
    healthy_payments.heal()

    assert healthy_payments.kinds(key) == []


def test_an_outage_ends_by_itself(healthy_payments: OutsideServer, provider: HttpPayments, key: str) -> None:
    healthy_payments.outage(seconds=0.2)

    wait_until(
        lambda: CLIENT.get(f"{healthy_payments.url}/charges/{key}").status_code == 404, what="the end of the outage"
    )


def test_a_plan_ends_by_itself(healthy_payments: OutsideServer, key: str) -> None:
    healthy_payments.fault(server_error=1.0, expires_in_seconds=0.2)

    wait_until(
        lambda: CLIENT.get(f"{healthy_payments.url}/charges/{key}").status_code == 404, what="the end of the plan"
    )


def test_a_declined_charge_by_fault_stays_declined(
    healthy_payments: OutsideServer, provider: HttpPayments, key: str
) -> None:
    healthy_payments.fault(decline=1.0)
    declined = charge(provider, key)
    healthy_payments.heal()

    assert ChargeStatus.DECLINED is declined.status
    assert declined == charge(provider, key)
    assert healthy_payments.kinds(key) == ["decline"]


def test_only_the_orders_named_are_hit(healthy_payments: OutsideServer, provider: HttpPayments, key: str) -> None:
    healthy_payments.fault(decline=1.0, orders=["o-2"])

    assert ChargeStatus.CAPTURED is charge(provider, key).status
    assert ChargeStatus.DECLINED is charge(provider, key + "2", "o-2").status


def test_calls_that_hang_block_no_other(healthy_payments: OutsideServer, key: str) -> None:
    healthy_payments.fault(timeout_before=1.0, orders=["o-1"])
    provider = HttpPayments(Wire(healthy_payments.url, name="payment provider", total_seconds=3.0))

    with ThreadPoolExecutor(9) as pool:
        hanging = [pool.submit(charge, provider, f"{key}-{number}") for number in range(8)]
        wait_until(
            lambda: healthy_payments.admin("GET", "/admin/faults").json()["hits"] == {"timeout_before": 8},
            what="8 hanging",
        )
        began = time.monotonic()
        charge(provider, key + "2", "o-2")
        took = time.monotonic() - began

        assert took < 1.0
        assert [UnknownOutcome] * 8 == [type(call.exception()) for call in hanging]


@pytest.mark.parametrize(
    ("fault", "ledger"), [("timeout_before", []), ("timeout_after", ["shipment"]), ("server_error_after", ["shipment"])]
)
def test_a_booking_that_broke_is_safe_to_repeat(
    healthy_carrier: OutsideServer, key: str, fault: str, ledger: list[str]
) -> None:
    http = HttpCarrier(Wire(healthy_carrier.url, name="carrier", total_seconds=SHORT))
    address = {"street": "Elm Street 5", "city": "Springwood", "postcode": "12345", "country": "US"}

    def book() -> str:
        return http.create_shipment(key, order_id="o-1", address=address, weight_g=1)

    healthy_carrier.fault(**{fault: 1.0})
    with pytest.raises(UnknownOutcome):
        book()
    healthy_carrier.heal()

    assert ledger == healthy_carrier.kinds(key)
    assert book() == book()
    assert healthy_carrier.kinds(key) == ["shipment"]


@pytest.fixture
def send(healthy_mail: OutsideServer) -> Callable[[], Mail]:
    mailer = mailer_of(healthy_mail, taken_seconds=SHORT)

    def make() -> Mail:
        mailer.send(letter)
        return letter

    letter = a_mail()
    return make


def mailer_of(server: OutsideServer, *, taken_seconds: float) -> SmtpMailer:
    port = server.ports[0]
    sender = "orders@shop.example"
    return SmtpMailer("127.0.0.1", port, sender=sender, total_seconds=SHORT, taken_seconds=taken_seconds)


def a_mail(**other: Any) -> Mail:
    order_id = str(uuid4())
    values = {"to": "ada@example.com", "name": "Ada Lovelace", "detail": {}, "kind": "delivered", **other}
    return Mail(message_id=f"<delivered.{order_id}@shop.example>", order_id=order_id, **values)


def test_a_rejected_mail_was_not_taken(healthy_mail: OutsideServer, send: Callable[[], Mail]) -> None:
    healthy_mail.fault(reject=1.0)

    with pytest.raises(Transient) as raised:
        send()

    assert not isinstance(raised.value, UnknownOutcome)
    assert healthy_mail.ledger() == []
    healthy_mail.heal()
    send()
    assert len(healthy_mail.ledger()) == 1


def test_a_mail_dropped_after_the_text_is_unknown(healthy_mail: OutsideServer, send: Callable[[], Mail]) -> None:
    healthy_mail.fault(drop_after=1.0)

    with pytest.raises(UnknownOutcome):
        send()
    healthy_mail.heal()
    letter = send()

    assert [letter.message_id] * 2 == [entry["key"] for entry in healthy_mail.ledger()]


def test_a_mail_server_too_slow_to_answer_is_unknown(healthy_mail: OutsideServer, send: Callable[[], Mail]) -> None:
    healthy_mail.fault(slow=1.0, slow_seconds=SHORT * 2)

    with pytest.raises(UnknownOutcome):
        send()


def test_a_mail_server_that_is_slow_with_the_text_alone_is_waited_for(healthy_mail: OutsideServer) -> None:
    mailer = mailer_of(healthy_mail, taken_seconds=30)
    healthy_mail.fault(slow=1.0, slow_seconds=SHORT * 2)
    letter = a_mail()
    mailer.send(letter)
    healthy_mail.heal()
    mailer.send(letter)

    assert [letter.message_id] * 2 == [entry["key"] for entry in healthy_mail.ledger()]


def test_a_mail_that_was_cut_short_leaves_no_reply_for_the_next(healthy_mail: OutsideServer) -> None:
    mailer, connections = mailer_of(healthy_mail, taken_seconds=30), []
    hand_in = mailer._hand_in

    def cut_short(smtp: Any, data: bytes) -> None:
        connections.append(smtp)
        smtp.send(data + b"\r\n.\r\n")
        raise SoftTimeLimitExceeded

    mailer._hand_in = cut_short  # type: ignore[method-assign]
    with pytest.raises(SoftTimeLimitExceeded):
        mailer.send(a_mail())
    mailer._hand_in = hand_in  # type: ignore[method-assign]
    letter = a_mail()
    mailer.send(letter)

    assert connections[0].sock is None
    assert letter.message_id in [entry["key"] for entry in healthy_mail.ledger()]


def test_a_mail_during_an_outage_was_not_taken(healthy_mail: OutsideServer, send: Callable[[], Mail]) -> None:
    healthy_mail.outage(seconds=60)

    with pytest.raises(Transient) as raised:
        send()

    assert not isinstance(raised.value, UnknownOutcome)
    assert healthy_mail.ledger() == []


def test_messages_are_shown_as_they_were_sent(healthy_mail: OutsideServer, send: Callable[[], Mail]) -> None:
    letter = send()

    (shown,) = healthy_mail.admin("GET", "/messages", params={"order_id": letter.order_id}).json()

    assert (letter.message_id, letter.to, letter.order_id, "delivered") == (
        shown["message_id"],
        shown["to"],
        shown["order_id"],
        shown["kind"],
    )
    assert f"Your order {letter.order_id} has arrived" == shown["subject"]
    assert "Hello Ada Lovelace," in shown["body"]
    assert healthy_mail.admin("GET", "/messages", params={"after": shown["id"]}).json() == []


GARBLED_CALLS = 60
"""Enough for each way to garble an answer to come up."""


def test_garbled_answers_to_charges_are_the_truth_or_nothing(
    healthy_payments: OutsideServer, provider: HttpPayments, key: str
) -> None:
    keys = [f"{key}-{number}" for number in range(GARBLED_CALLS)]
    healthy_payments.fault(garbled=1.0)

    def outcome(call: Callable[[], Charge | None]) -> ChargeStatus | None:
        try:
            charge = call()
        except Transient:
            return None
        assert charge is not None
        return charge.status

    charged = Counter(outcome(partial(charge, provider, each)) for each in keys)
    asked = Counter(outcome(partial(provider.find, each)) for each in keys)
    reversed_ = Counter(outcome(partial(provider.reverse, each)) for each in keys)
    healthy_payments.heal()

    assert {ChargeStatus.CAPTURED, None} == set(charged) == set(asked)
    assert {ChargeStatus.REFUNDED, None} == set(reversed_)
    assert GARBLED_CALLS / 2 < charged[None] < GARBLED_CALLS
    assert all(healthy_payments.kinds(each) == ["capture", "refund"] for each in keys)


def test_garbled_answers_to_bookings_are_the_truth_or_nothing(healthy_carrier: OutsideServer, key: str) -> None:
    http = HttpCarrier(Wire(healthy_carrier.url, name="carrier", total_seconds=SHORT))
    address = {"street": "Elm Street 5", "city": "Springwood", "postcode": "12345", "country": "US"}
    keys = [f"{key}-{number}" for number in range(GARBLED_CALLS)]
    told: dict[str, str] = {}
    healthy_carrier.fault(garbled=1.0)

    for each in keys:
        with contextlib.suppress(UnknownOutcome):
            told[each] = http.create_shipment(each, order_id="o-1", address=address, weight_g=1)
    healthy_carrier.heal()
    true = {each: http.create_shipment(each, order_id="o-1", address=address, weight_g=1) for each in keys}

    assert 0 < len(told) < GARBLED_CALLS / 2
    assert told.items() <= true.items()
    assert all(healthy_carrier.kinds(each) == ["shipment"] for each in keys)


def test_garbled_replies_to_mails_bring_each_mail_once(healthy_mail: OutsideServer) -> None:
    mailer = mailer_of(healthy_mail, taken_seconds=30)
    letters = [a_mail() for _ in range(GARBLED_CALLS)]
    healthy_mail.fault(garbled=0.5)
    refused: list[Transient] = []

    for letter in letters:
        while True:
            try:
                mailer.send(letter)
                break
            except Transient as error:
                refused.append(error)

    assert {Transient} == {type(error) for error in refused}
    assert [letter.message_id for letter in letters] == [entry["key"] for entry in healthy_mail.ledger()]
