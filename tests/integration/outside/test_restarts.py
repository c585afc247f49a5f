"""The outside goes away and comes back while the adapters keep their connections."""

from collections.abc import Callable

import pytest
from outside_servers import OutsideServer

from chassis.errors import Transient
from orders.adapters.mail import SmtpMailer
from orders.adapters.payments import HttpPayments
from orders.adapters.wire import Wire
from orders.ports import Charge, Mail, UnknownOutcome

pytestmark = pytest.mark.integration


@pytest.fixture
def charge(payments: OutsideServer) -> Callable[[], Charge]:
    provider = HttpPayments(Wire(payments.url, name="payment provider"))
    return lambda: provider.charge("o-1:payment", order_id="o-1", amount_minor=100, currency="EUR", card="tok_ok")


@pytest.fixture
def send(mail: OutsideServer) -> Callable[[], None]:
    mailer = SmtpMailer("127.0.0.1", mail.ports[0], sender="orders@shop.example")
    letter = Mail("<delivered.o-1@shop.example>", "o-1", "delivered", "ada@example.com", "Ada Lovelace", {})
    return lambda: mailer.send(letter)


def test_nobody_at_the_port_had_no_effect(payments: OutsideServer, charge: Callable[[], Charge]) -> None:
    charge()
    payments.stop()

    with pytest.raises(Transient) as raised:
        charge()

    assert not isinstance(raised.value, UnknownOutcome)


def test_a_restarted_provider_is_reached_again(payments: OutsideServer, charge: Callable[[], Charge]) -> None:
    first = charge()
    payments.stop()
    payments.start()

    assert first == charge()


def test_no_mail_server_had_no_effect(mail: OutsideServer, send: Callable[[], None]) -> None:
    send()
    mail.stop()

    with pytest.raises(Transient) as raised:
        send()

    assert not isinstance(raised.value, UnknownOutcome)


def test_a_kept_connection_that_died_costs_no_mail(mail: OutsideServer, send: Callable[[], None]) -> None:
    send()
    mail.crash()
    mail.start()

    send()

    assert [entry["key"] for entry in mail.ledger()] == ["<delivered.o-1@shop.example>"] * 2
