"""What every mailer promises: the real adapter before the real mail server, and the one in memory."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from outside_servers import OutsideServer

from chassis.errors import Permanent
from orders.adapters.instant import InstantMailer
from orders.adapters.mail import SmtpMailer
from orders.ports import Mail, Mailer

DETAIL = {
    "total_minor": 1250,
    "currency": "EUR",
    "lines": [(1, "LAMP", 1000), (5, "PEN", 250)],
    "tracking_number": "CP123456789012",
    "reason": None,
}
KINDS = ("confirmation", "shipped", "delivered", "cancelled", "failed", "cancel_refused")


@pytest.fixture(params=["smtp", "instant"])
def mailer(request: pytest.FixtureRequest) -> Mailer:
    if request.param == "instant":
        return InstantMailer()
    server: OutsideServer = request.getfixturevalue("mail_server")
    return SmtpMailer("127.0.0.1", server.ports[0], sender="orders@shop.example")


@pytest.fixture
def sent(mailer: Mailer, request: pytest.FixtureRequest) -> Callable[[], Counter[str]]:
    """How often each Message-ID arrived."""
    if isinstance(mailer, InstantMailer):
        return lambda: Counter(mailer.sent)
    server: OutsideServer = request.getfixturevalue("mail_server")
    return lambda: Counter(entry["key"] for entry in server.ledger())


def mail(kind: str = "confirmation", *, order_id: str | None = None, **other: Any) -> Mail:
    order_id = order_id or str(uuid4())
    values = {"to": "ada@example.com", "name": "Ada Lovelace", "detail": DETAIL, **other}
    return Mail(message_id=f"<{kind}.{order_id}@shop.example>", order_id=order_id, kind=kind, **values)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_mail_arrives_once(mailer: Mailer, sent: Callable[[], Counter[str]], kind: str) -> None:
    letter = mail(kind)

    mailer.send(letter)

    assert sent()[letter.message_id] == 1


def test_a_repeat_arrives_again_under_its_old_id(mailer: Mailer, sent: Callable[[], Counter[str]]) -> None:
    letter = mail()

    mailer.send(letter)
    mailer.send(letter)

    assert sent()[letter.message_id] == 2


@pytest.mark.parametrize("to", ["nobody", "ada@nowhere.invalid", ""])
def test_an_address_without_a_mailbox_is_refused_for_good(
    mailer: Mailer, sent: Callable[[], Counter[str]], to: str
) -> None:
    letter = mail(to=to)

    with pytest.raises(Permanent):
        mailer.send(letter)
    assert sent()[letter.message_id] == 0


def test_a_refused_mail_does_not_harm_the_next(mailer: Mailer, sent: Callable[[], Counter[str]]) -> None:
    with pytest.raises(Permanent):
        mailer.send(mail(to="ada@nowhere.invalid"))
    letter = mail()

    mailer.send(letter)

    assert sent()[letter.message_id] == 1


def test_eight_threads_send_at_the_same_time(mailer: Mailer, sent: Callable[[], Counter[str]]) -> None:
    letters = [mail() for _ in range(64)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(mailer.send, letters))

    arrived = sent()
    assert [arrived[letter.message_id] for letter in letters] == [1] * 64
