"""Mails as any mail program reads them."""

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Permanent
from orders.adapters.letters import letter, mailbox, money
from orders.ports import Mail

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
DETAIL = {
    "total_minor": 1250,
    "currency": "EUR",
    "lines": [(1, "LAMP", 1000), (5, "PEN", 250)],
    "tracking_number": "CP123456789012",
    "reason": "payment declined",
}


def written(
    kind: str = "confirmation", *, name: str = "Ada Lovelace", to: str = "ada@example.com", **detail: Any
) -> bytes:
    mail = Mail(f"<{kind}.o-1@shop.example>", "o-1", kind, to, name, {**DETAIL, **detail})
    return letter(mail, sender="orders@shop.example", now=NOW)


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert [defect for part in message.walk() for defect in part.defects] == []
    return message


def text(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_headers_name_the_mail() -> None:
    message = read(written())

    assert {
        name: message[name] for name in ("From", "To", "Message-ID", "Subject", "X-Order-Id", "X-Mail-Kind", "Date")
    } == {
        "From": "orders@shop.example",
        "To": "Ada Lovelace <ada@example.com>",
        "Message-ID": "<confirmation.o-1@shop.example>",
        "Subject": "Your order o-1",
        "X-Order-Id": "o-1",
        "X-Mail-Kind": "confirmation",
        "Date": "Sat, 01 Mar 2025 12:00:00 +0000",
    }


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("confirmation", "5 x PEN: 2.50 EUR"),
        ("shipped", "CP123456789012"),
        ("delivered", "has been delivered"),
        ("cancelled", "12.50 EUR has been returned"),
        ("failed", "could not be completed: payment declined."),
    ],
)
def test_each_kind_says_what_happened_as_text_and_as_html(kind: str, said: str) -> None:
    message = read(written(kind))

    assert said in text(message)
    assert said in text(message, "html")


@pytest.mark.parametrize("kind", ["shipped", "cancelled", "failed"])
def test_what_is_not_known_is_not_mentioned(kind: str) -> None:
    said = text(read(written(kind, tracking_number=None, reason=None)))

    assert "None" not in said
    assert "completed:" not in said
    assert "cancelled:" not in said
    assert "tracking" not in said


def test_a_name_cannot_add_a_header_or_markup() -> None:
    message = read(written(name='Eve\r\nBcc: all@example.com <b>"x"</b>'))

    assert message["Bcc"] is None
    assert "<b>" not in text(message, "html")


@given(name=st.text(max_size=120), sku=st.text(min_size=1, max_size=64))
def test_any_name_and_sku_make_a_mail_that_can_be_read(name: str, sku: str) -> None:
    raw = written(name=name, lines=[(1, sku, 100)])

    message = read(raw)
    assert message["To"].addresses[0].addr_spec == "ada@example.com"
    assert all(len(line) <= 998 and b"\n" not in line and b"\r" not in line for line in raw.split(b"\r\n"))


def test_the_same_mail_is_the_same_bytes() -> None:
    assert written(name="Zoë") == written(name="Zoë")


def test_a_kind_without_a_template_is_refused_for_good() -> None:
    with pytest.raises(Permanent, match="'birthday'"):
        written("birthday")


@pytest.mark.parametrize(
    ("text", "expected"), [("ada@example.com", "ada@example.com"), ("a@zürich.ch", "a@xn--zrich-kva.ch")]
)
def test_a_mailbox_is_spelt_in_ascii(text: str, expected: str) -> None:
    assert expected == mailbox(text)


@pytest.mark.parametrize(
    "text", ["", "ada", "@example.com", "a b@example.com", "ada@", "a@b\r\nX: y", "ä@example.com", "a@b..c"]
)
def test_what_is_no_mailbox_is_refused_for_good(text: str) -> None:
    with pytest.raises(Permanent, match="address"):
        mailbox(text)


@pytest.mark.parametrize(
    ("amount_minor", "currency", "expected"),
    [
        (1234, "EUR", "12.34 EUR"),
        (5, "EUR", "0.05 EUR"),
        (1234, "JPY", "1234 JPY"),
        (1, "KWD", "0.001 KWD"),
        (-250, "EUR", "-2.50 EUR"),
    ],
)
def test_money_is_written_with_the_decimals_of_its_currency(amount_minor: int, currency: str, expected: str) -> None:
    assert expected == money(amount_minor, currency)
