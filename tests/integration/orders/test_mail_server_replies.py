"""Whatever the mail server replies, a mail ends as sent, to be sent again, or refused for good; in time, with a reason that can be stored.

The real adapter, before a server that replies what the test tells it to.
"""

import itertools
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strangers import ENDLESS, SmtpStranger

from chassis.errors import Permanent, Transient
from orders.adapters.mail import SmtpMailer
from orders.ports import Mail, UnknownOutcome

REPLY_SECONDS = 0.4
# What the machine may be late with it, when it is busy.
LATE_SECONDS = 3.0
MAIL = Mail("<failed.o-1@shop.example>", "o-1", "failed", "ann@mail.example", "Ann", {
    "total_minor": 100, "currency": "EUR", "reason": None,
})  # fmt: skip


@pytest.fixture
def stranger() -> Iterator[SmtpStranger]:
    stranger = SmtpStranger()
    yield stranger
    stranger.close()


def mailer_to(stranger: SmtpStranger) -> SmtpMailer:
    return SmtpMailer(
        "127.0.0.1", stranger.port, sender="orders@shop.example",
        connect_seconds=REPLY_SECONDS, total_seconds=REPLY_SECONDS, taken_seconds=REPLY_SECONDS,
    )  # fmt: skip


def outcome(mailer: SmtpMailer) -> str:
    """How a sending ends; its reason can be stored, and it took no longer than two dialogues may."""
    began = time.monotonic()
    ended, why = "sent", ""
    try:
        mailer.send(MAIL)
    except UnknownOutcome as error:
        ended, why = "unknown", str(error)
    except Transient as error:
        ended, why = "again", str(error)
    except Permanent as error:
        ended, why = "never", str(error)
    assert why.isprintable()
    assert time.monotonic() - began < 2 * REPLY_SECONDS + LATE_SECONDS
    return ended


ODD = {
    "NUL": b"550 no\x00body\r\n",
    "no text": b"550\r\n",
    "bytes": b"550 \xff\xfe\r\n",
    "many lines": b"550-no\r\n" * 50 + b"550 no\r\n",
}


@pytest.mark.parametrize("reply", ODD.values(), ids=list(ODD))
@pytest.mark.parametrize("to", ["MAIL", "RCPT", "DATA", "text"])
def test_a_refusal_for_good_is_one_whatever_its_words(stranger: SmtpStranger, to: str, reply: bytes) -> None:
    stranger.script[to] = reply

    assert "never" == outcome(mailer_to(stranger))


@pytest.mark.parametrize(("reply", "ends"), [
    (b"252 perhaps\r\n", "sent"), (b"200\r\n", "sent"), (b"451 later\x00\r\n", "again"), (b"421 bye\r\n", "again"),
    (b"354 more\r\n", "unknown"), (b"hello\r\n", "unknown"), (b"999 what\r\n", "unknown"), (b"", "unknown"),
    (b"250-" + b"x" * 10_000 + b"\r\n", "unknown"),
])  # fmt: skip
def test_what_is_said_to_the_text_is_read_by_its_first_digit(stranger: SmtpStranger, reply: bytes, ends: str) -> None:
    stranger.script["text"] = reply

    assert ends == outcome(mailer_to(stranger))


ENDLESS_REPLIES = {"lines": b"250-and more\r\n", "a line": b"2"}


@pytest.mark.parametrize("piece", ENDLESS_REPLIES.values(), ids=list(ENDLESS_REPLIES))
@pytest.mark.parametrize(
    ("to", "ends"), [("greeting", "again"), ("EHLO", "again"), ("RCPT", "again"), ("text", "unknown")]
)
def test_a_reply_without_end_ends_in_time(stranger: SmtpStranger, to: str, ends: str, piece: bytes) -> None:
    stranger.script[to] = itertools.repeat(piece, ENDLESS)

    assert ends == outcome(mailer_to(stranger))


def test_a_reply_of_any_length_is_not_read_to_its_end(stranger: SmtpStranger) -> None:
    stranger.script["RCPT"] = b"250-and more\r\n" * 100_000

    assert "again" == outcome(mailer_to(stranger))


def test_a_reply_too_many_is_taken_for_no_other_mails(stranger: SmtpStranger) -> None:
    mailer = mailer_to(stranger)
    stranger.script["text"] = b"250 taken\r\n250 taken again\r\n"

    assert ["sent"] * 3 == [outcome(mailer) for _ in range(3)]
    assert 3 == stranger.taken


def test_a_refusal_stays_one_though_the_server_will_not_go_on(stranger: SmtpStranger) -> None:
    mailer = mailer_to(stranger)
    stranger.script |= {"RCPT": b"550 nobody\r\n", "RSET": b""}
    assert "never" == outcome(mailer)

    stranger.script.clear()

    assert ("sent", 2) == (outcome(mailer), stranger.connections)


REPLIES = st.builds(
    lambda code, text, end: code + text + end,
    st.sampled_from([b"250", b"354", b"421", b"451", b"550", b"", b"-50", b"1_0", b"99999"]),
    st.binary(max_size=20),
    st.sampled_from([b"\r\n", b"\n"]),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    replies=st.dictionaries(
        st.sampled_from(["greeting", "EHLO", "MAIL", "RCPT", "DATA", "text", "RSET"]), REPLIES, max_size=3
    )
)
def test_no_reply_is_a_bug(stranger: SmtpStranger, replies: dict[str, bytes]) -> None:
    stranger.script = dict(replies)

    outcome(mailer_to(stranger))
