"""Mails to customers, by SMTP. Each call is one more mail."""

import smtplib
from email.message import EmailMessage
from email.utils import make_msgid

HOST, PORT = "localhost", 2525
DOMAIN, SENDER, TIMEOUT_SECONDS = "shop.example", "shop@shop.example", 10


def send(to, subject, text, order_id=None):
    """Hand a mail to the mail server, and name the order that it is about."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = SENDER, to, subject
    mail["Message-ID"] = make_msgid(domain=DOMAIN)
    if order_id is not None:
        mail["X-Order-Id"] = order_id
    mail.set_content(text)
    with smtplib.SMTP(HOST, PORT, local_hostname=DOMAIN, timeout=TIMEOUT_SECONDS) as server:
        server.send_message(mail)
