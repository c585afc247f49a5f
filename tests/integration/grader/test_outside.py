"""The mail server of a grading: learner code hands mails over by SMTP, and reads or bends no evidence there."""

import http.client
import smtplib
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from grader.adapters.outside import INSIDE_PORTS, Outside


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Outside]:
    server = Outside("mail", tmp_path)
    yield server
    server.end()


def handed_over(server: Outside, order_id: str) -> None:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["X-Order-Id"] = "shop@shop.example", "customer@customers.example", order_id
    letter.set_content("It is as you left it.")
    with smtplib.SMTP("127.0.0.1", server.port, local_hostname="shop.example", timeout=10) as client:
        client.send_message(letter)


def test_a_mail_that_is_sent_twice_is_in_the_ledger_twice(mail: Outside) -> None:
    for order_id in ("one", "two", "one"):
        handed_over(mail, order_id)

    assert ["one", "two", "one"] == [entry["order_id"] for entry in mail.ledger("mail")]


def test_a_check_lets_mails_go_wrong(mail: Outside) -> None:
    mail.faults({"reject": 1.0})
    with pytest.raises(smtplib.SMTPDataError):
        handed_over(mail, "one")
    hits = mail.hits()
    mail.sound()
    handed_over(mail, "two")

    assert (1, ["two"]) == (hits, [entry["order_id"] for entry in mail.ledger("mail")])


def test_the_port_that_learner_code_knows_has_neither_ledger_nor_faults(mail: Outside) -> None:
    assert mail.inside_port == INSIDE_PORTS["mail"]
    with pytest.raises(http.client.BadStatusLine, match="ESMTP"):
        urllib.request.urlopen(f"http://127.0.0.1:{mail.port}/ledger", timeout=10)


def test_faults_need_the_token_of_the_grader(mail: Outside) -> None:
    address = f"http://127.0.0.1:{mail._http_port}/admin/faults"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=10)
