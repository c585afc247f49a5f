"""Mails as bytes: a template a kind, text and HTML, headers that let the outside and the ledgers tell mails apart. Pure.

A template `<kind>.txt.j2` has the subject on its first line and the text after a blank one; the HTML is made from the same
text, so that the wording is written once. The same mail gives the same bytes but for its date. The message is put together
by hand (RFC 5322, 2045, 2046): `email.message` takes over twenty times as long, for every mail of every order.
"""

import re
from base64 import encodebytes
from collections.abc import Mapping
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateNotFound

from chassis.errors import Permanent
from orders.ports import Mail

# Currencies whose smallest unit is not a hundredth (ISO 4217).
_DECIMALS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}
# A mailbox as nearly all are (RFC 5322 dot-atom, ASCII); the API refuses most others before there is an order.
_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9.-]+\Z")
# Longer lines are broken by the encoding; RFC 5322 allows 998, quotation by old clients needs room.
_LONGEST_PLAIN_LINE = 900


def _environment(*, autoescape: bool) -> Environment:
    made = Environment(
        loader=PackageLoader("orders.adapters", "templates"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        auto_reload=False,
    )
    made.filters["money"] = money
    return made


def money(amount_minor: int, currency: str) -> str:
    """An amount as people write it: `12.34 EUR`."""
    decimals = _DECIMALS.get(currency, 2)
    digits = str(abs(amount_minor)).rjust(decimals + 1, "0")
    whole, fraction = (digits[:-decimals], "." + digits[-decimals:]) if decimals else (digits, "")
    return f"{'-' if amount_minor < 0 else ''}{whole}{fraction} {currency}"


_TEXT = _environment(autoescape=False)
_HTML = _environment(autoescape=True)


def wording(kind: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """Subject and text of a mail. Raises Permanent for a kind that has no template."""
    try:
        template = _TEXT.get_template(f"{kind}.txt.j2")
    except TemplateNotFound as error:
        raise Permanent(f"there is no template for mails of kind {kind!r}") from error
    subject, _, text = template.render(values).partition("\n\n")
    return one_line(subject), text.strip() + "\n"


def mailbox(text: str) -> str:
    """The address in ASCII, its domain in IDNA. Raises Permanent for what cannot be one."""
    local, at, domain = text.rpartition("@")
    try:
        address = local + at + domain.encode("idna").decode()
    except UnicodeError:
        address = ""
    if not _MAILBOX.match(address):
        raise Permanent(f"{text!r} is not an address that mail can be sent to")
    return address


def letter(mail: Mail, *, sender: str, now: datetime) -> bytes:
    """The mail as sent, lines ended by CRLF. Raises Permanent when the address cannot be one or no template has its kind."""
    name = one_line(mail.name)
    subject, text = wording(mail.kind, {**mail.detail, "order_id": mail.order_id, "name": name})
    html = _HTML.get_template("letter.html.j2").render(subject=subject, paragraphs=text.strip().split("\n\n"))
    # Made from the id instead of by chance; no line of ours begins like this.
    boundary = "=_" + re.sub(r"[^A-Za-z0-9]", "", mail.message_id)[:60]
    lines = [
        f"From: {sender}",
        f"To: {_recipient(name, mailbox(mail.to))}",
        f"Message-ID: {mail.message_id}",
        f"Subject: {_header(subject)}",
        f"Date: {format_datetime(now.astimezone(UTC))}",
        f"X-Order-Id: {mail.order_id}",
        f"X-Mail-Kind: {mail.kind}",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
        "",
        f"--{boundary}",
        *_part("plain", text),
        f"--{boundary}",
        *_part("html", html),
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).encode("ascii")


def one_line(text: str) -> str:
    """Text for a header: a line break in a name must not begin another header."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _part(kind: str, text: str) -> list[str]:
    plain = text.isascii() and all(len(line) <= _LONGEST_PLAIN_LINE for line in text.split("\n"))
    body = text.splitlines() if plain else encodebytes(text.encode()).decode("ascii").splitlines()
    encoding = "7bit" if plain else "base64"
    return [f"Content-Type: text/{kind}; charset=utf-8", f"Content-Transfer-Encoding: {encoding}", "", *body, ""]


def _recipient(name: str, address: str) -> str:
    if not name:
        return address
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>' if name.isascii() else f"{_header(name)} <{address}>"


def _header(text: str) -> str:
    # 70: what a folded line may hold beside its name; `encode` folds by itself.
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=70).encode(linesep="\r\n")
